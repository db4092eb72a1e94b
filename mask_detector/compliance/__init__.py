"""How many people wore their mask: counted, summed up, shown."""

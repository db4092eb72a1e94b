"""What a training does one after the other: the head, then the backbone's top; or all at once.

A pretrained backbone gets a new head first, so that the head's large errors do not spoil it. A
network that knows nothing yet trains as a whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mask_detector.training_options import TrainingOptions

# Passes over the pictures and, for sets so small that those are few steps, the least of these.
_HEAD_EPOCHS, _HEAD_STEPS = 4, 150
_FINE_TUNE_EPOCHS, _FINE_TUNE_STEPS = 8, 300
_WHOLE_EPOCHS, _WHOLE_STEPS = 30, 1500


@dataclass(frozen=True)
class Stage:
    """Some epochs in which the same layers train."""

    name: str
    epochs: int
    learning_rate: float  # of the first epoch
    trained_layers: int | None  # of the backbone, from the top; None: all, BatchNorm too

    @property
    def description(self) -> str:
        if self.trained_layers is None:
            return "the whole network from random weights"
        layers = f" and the top {self.trained_layers} layers of the backbone"
        return "the head" + (layers if self.trained_layers else "")

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, falling along half a cosine.

        Source: Loshchilov and Hutter, SGDR, ICLR 2017.
        """
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2


def stages_of(options: TrainingOptions, picture_count: int) -> list[Stage]:
    """The stages of a training on so many pictures, in their order."""
    steps = -(-picture_count // options.batch_size)
    if options.is_from_scratch:
        epochs = options.epochs or max(_WHOLE_EPOCHS, _WHOLE_STEPS // steps)
        return [Stage("whole network", epochs, options.learning_rate, None)]
    epochs = options.epochs or max(_HEAD_EPOCHS, _HEAD_STEPS // steps)
    stages = [Stage("head", epochs, options.learning_rate, 0)]
    if options.fine_tune > 0:
        epochs = options.fine_tune_epochs or max(_FINE_TUNE_EPOCHS, _FINE_TUNE_STEPS // steps)
        rate = options.learning_rate / 10
        stages.append(Stage("fine-tuning", epochs, rate, options.fine_tune))
    return stages

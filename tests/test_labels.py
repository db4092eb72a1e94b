"""Class names in every spelling people use, and the words shown for them."""

import os

import pytest

from mask_detector.labels import Meaning, display_name, meaning_of, printable

SPELLINGS = {
    Meaning.COMPLIANT: (
        "with_mask, WithMask, withMask, withmask, with-mask, with mask, WITH_MASK, mask, Mask, "
        "masks, masked, Masked, face_mask, face_with_mask, mask_on, correctly_masked, "
        "with_mask_correct, CMFD, w_mask, 1 - Mask, mit Maske, avec masque, con mascarilla"
    ),
    Meaning.MISSING: (
        "without_mask, WithoutMask, withoutMask, withoutmask, without-mask, without mask, "
        "WITHOUT_MASK, no_mask, NoMask, noMask, nomask, NOMASK, no-mask, No Mask, no_face_mask, "
        "unmasked, Unmasked, un_masked, non_mask, nonmask, non-masked, not_masked, notmasked, "
        "NotMasked, mask_off, MaskOff, maskoff, maskless, not_wearing_mask, mask_missing, wo_mask, "
        "mask_free, maskfree, mask_absent, lack_of_mask, never_masked, Ohne Maske ü, sans masque, "
        "sin mascarilla, senza mascherina"
    ),
    Meaning.WRONG: (
        "mask_weared_incorrect, with_incorrect_mask, incorrect_mask, IncorrectMask, "
        "incorrect mask, improper, improper_mask, wrong, wrongly_worn, mask_worn_wrongly, IMFD, "
        "mask_under_nose, mask_on_chin, MaskWornIncorrectly, mask_not_worn_correctly, "
        "not_correctly_masked, mask_below_nose, partial_mask"
    ),
    Meaning.OTHER: (
        "def_front, ok_front, cat, dog, no_helmet, NoHelmet, without_helmet, unknown, face, "
        "no_face, 0, 1, a b, coffee_machine, chinese, 口罩"
    ),
}


@pytest.mark.parametrize(
    ("name", "meaning"),
    [(name, meaning) for meaning, names in SPELLINGS.items() for name in names.split(", ")],
)
def test_a_class_name_is_understood_in_every_spelling(name, meaning):
    assert meaning_of(name) is meaning


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("with_mask", "Mask"),
        ("WithMask", "Mask"),
        ("without_mask", "No Mask"),
        ("nomask", "No Mask"),
        ("mask_weared_incorrect", "Mask worn wrongly"),
        ("def_front", "def_front"),
        ("No Helmet", "No Helmet"),
        ("口罩", "口罩"),
    ],
)
def test_people_see_plain_words_or_the_name_itself(name, shown):
    assert display_name(name) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"with_mask", "with_mask"), ("口罩".encode(), "口罩"), (b"m\xe4ske", "m\\udce4ske")],
)
def test_what_is_no_text_in_a_folders_name_is_written_as_codes(raw, shown):
    name = os.fsdecode(raw)  # as Python reads it from a folder
    assert printable(name) == shown
    assert printable(name).encode("utf-8")

"""Structures of the label schemes as SNOMED CT concepts, by the keywords of DICOM's own dictionary of them.

What the dictionary has no concept for, such as the gluteal muscles, has none here: a code from elsewhere could not be
checked against it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pydicom.dataset import Dataset

from ivos.volume.anatomy_names import dicom_text
from ivos.volume.labels import canonical_name

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

    from ivos.volume.labels import Label

OWN_SCHEME = "99IVOS"
"""Our own coding scheme, for structures that SNOMED CT is not known to have: the code is the name in one spelling."""

_CODE_LIMIT = 16  # characters; longer codes have an element of their own

_SINGLE = {
    "liver": "Liver",
    "spleen": "Spleen",
    "pancreas": "Pancreas",
    "aorta": "Aorta",
    "inferior_vena_cava": "InferiorVenaCava",
    "superior_vena_cava": "SuperiorVenaCava",
    "gallbladder": "Gallbladder",
    "esophagus": "Esophagus",
    "stomach": "Stomach",
    "duodenum": "Duodenum",
    "small_bowel": "SmallIntestine",
    "colon": "Colon",
    "urinary_bladder": "Bladder",
    "prostate": "Prostate",
    "uterus": "Uterus",
    "trachea": "Trachea",
    "thyroid_gland": "Thyroid",
    "heart": "Heart",
    "heart_atrium_left": "LeftAtrium",
    "heart_atrium_right": "RightAtrium",
    "heart_ventricle_left": "LeftVentricle",
    "heart_ventricle_right": "RightVentricle",
    "atrial_appendage_left": "LeftAuricularAppendage",
    "pulmonary_artery": "PulmonaryArtery",
    "pulmonary_vein": "PulmonaryVein",
    "portal_vein": "PortalVein",
    "splenic_vein": "SplenicVein",
    "brachiocephalic_trunk": "BrachiocephalicTrunk",
    "lung_middle_lobe_right": "MiddleLobeOfRightLung",
    "sacrum": "Sacrum",
    "vertebrae_s1": "Vertebra",
    "sternum": "Sternum",
    "costal_cartilages": "CostalCartilage",
    "skull": "Skull",
    "brain": "Brain",
    "spinal_cord": "SpinalCord",
    "face": "Face",
}
_PAIRED = {
    "kidney": "Kidney",
    "adrenal_gland": "AdrenalGland",
    "lung": "Lung",
    "lung_upper_lobe": "UpperLobeOfLung",
    "lung_lower_lobe": "LowerLobeOfLung",
    "subclavian_artery": "SubclavianArtery",
    "common_carotid_artery": "CommonCarotidArtery",
    "brachiocephalic_vein": "BrachiocephalicVein",
    "iliac_artery": "IliacArtery",
    "iliac_vena": "IliacVein",
    "humerus": "Humerus",
    "scapula": "Scapula",
    "clavicula": "Clavicle",
    "femur": "Femur",
    "rib": "Rib",
}
_SIDES = {"left": "Left", "right": "Right"}
_VERTEBRA = re.compile(r"vertebrae_([ctl]\d+)")
_RIB = re.compile(r"rib_\d+")  # which one is said by the segment's name: the dictionary has ribs without numbers


class Concept(NamedTuple):
    """What a structure is.

    Attributes:
        category: anatomy, or something abnormal in it (PS3.16 CID 7150).
        kind: the structure (CID 7151).
        side: of what there are two of.
        region: where something abnormal lies; it is this that has the side then.
    """

    category: Code
    kind: Code
    side: Code | None = None
    region: Code | None = None


def concept_of(name: str) -> Concept | None:
    """The concept of a structure, under whichever of its usual names; None where there is no certain one."""
    from pydicom.sr.codedict import codes

    plain = canonical_name(name)
    words = plain.split("_")
    sides = [word for word in words if word in _SIDES]
    base = _RIB.sub("rib", "_".join(word for word in words if word not in _SIDES))
    side = getattr(codes.SCT, _SIDES[sides[0]]) if len(sides) == 1 else None
    if base == "kidney_cyst":
        return Concept(codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Cyst, side, codes.SCT.Kidney)
    vertebra = _VERTEBRA.fullmatch(plain)
    single = f"{vertebra[1].upper()}Vertebra" if vertebra else _SINGLE.get(plain)
    keyword = single or _PAIRED.get(base)
    kind = getattr(codes.SCT, keyword, None) if keyword else None
    return None if kind is None else Concept(codes.SCT.AnatomicalStructure, kind, None if single else side)


def concept_or_own(structure: Label) -> Concept:
    """The concept of a structure; one of :data:`OWN_SCHEME`, a tissue, where SNOMED CT is not known to have it."""
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    found = concept_of(structure.name)
    if found is not None:
        return found
    code = canonical_name(structure.name) or f"label-{structure.id}"
    return Concept(codes.SCT.Tissue, Code(code, OWN_SCHEME, dicom_text(structure.name)))


def code_item(code: Code) -> Dataset:
    """A code as an item of a DICOM sequence."""
    item = Dataset()
    if len(code.value) > _CODE_LIMIT:
        item.LongCodeValue = code.value
    else:
        item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item

"""Lets torchvision be imported beside a CPU build of torch; import it before.

Pty-Chi and PtyRAD blur with torchvision. The wheel of torchvision on PyPI is built for the CUDA
build of torch: beside the CPU build its compiled library does not load, and the import ends with
"operator torchvision::nms does not exist" though nobody asks for non-maximum suppression. Here
the two operators get a name without a body. Nothing of what these packages compute changes.
"""

import torch

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
try:
    import torchvision
except RuntimeError:
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    LIBRARY = torch.library.Library("torchvision", "DEF")
    for name, signature in OPERATORS.items():
        LIBRARY.define(name + signature)
    import torchvision

__all__ = ["torchvision"]

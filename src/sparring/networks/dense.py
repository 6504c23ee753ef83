"""A dense layer that trains at the speed of the machine.

PyTorch multiplies float32 matrices by MKL, which leaves half of an AMD processor's vector units
idle; oneDNN, which PyTorch ships for its compiler, does not. Large products of training take
that way, forward, backward and twice backward; everything else is `nn.Linear` as it stands, so
evaluation and export see nothing of this.
"""

from typing import Any

import torch
from torch import Tensor, nn

WORTH_IT = 2**22  # multiplications; a smaller product is done before oneDNN is set up
AVAILABLE = hasattr(torch.ops.mkldnn, "_linear_pointwise")  # an operator of PyTorch's compiler


class Dense(nn.Linear):
    """`nn.Linear` with the same parameters and the same meaning."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and AVAILABLE and _is_large(x, self.weight)):
            return super().forward(x)
        product: Tensor = _Product.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias


def _is_large(x: Tensor, weight: Tensor) -> bool:
    return (
        x.ndim == 2
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and len(x) * weight.numel() >= WORTH_IT
    )


class _Product(torch.autograd.Function):
    """a bᵀ for a of shape (n, k) and b of shape (m, k); its gradients are products again."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return product

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        for_a, for_b = ctx.needs_input_grad
        return (
            _Product.apply(grad, b.t()) if for_a else None,  # type: ignore[no-untyped-call]
            _Product.apply(grad.t().contiguous(), a.t().contiguous()) if for_b else None,  # type: ignore[no-untyped-call]
        )

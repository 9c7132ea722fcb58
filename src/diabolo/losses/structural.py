"""Structural similarity of pictures, on one scale or several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..blocks.grid import on_grid
from ..core.errors import UsageError, out_of_range
from ..core.registry import register
from .whole import Whole

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, fine to coarse: Wang, Simoncelli & Bovik (2003), section 3.2."""
K1, K2 = 0.01, 0.03
LOWEST = 1e-6
"""A similarity below 0 has no real power; there the picture is as unlike as it can be."""


@register("loss", "structural")
class Structural(Whole):
    """One minus the structural similarity of a picture and its reconstruction (SSIM, or MS-SSIM with several scales).

        SSIM(x, y) = mean over windows of  (2 μx μy + C₁) / (μx² + μy² + C₁) · (2 σxy + C₂) / (σx² + σy² + C₂)
                                            luminance                          contrast and structure

        cost = 1 − SSIM, in [0, 2];    MS-SSIM = Πⱼ (contrast and structure at scale j)^wⱼ · luminance at the last

    Means and variances are taken in Gaussian windows that lie wholly inside the picture; channels are averaged.
    A distance, not a likelihood. It is small against losses that are summed over pixels: give penalties accordingly
    small weights.

    Parameters
    ----------
    scales : int in 1 … 5. 1 is SSIM; each further scale halves the picture.
    window : odd int. Side of the window in pixels; on smaller pictures the largest odd one that fits.
    std : float above 0, pixels. Width of the Gaussian window.
    span : float above 0. Range of the data, L in C₁ = (0.01 L)² and C₂ = (0.03 L)²; None: high − low, else 1.
    low, high : bounds of the reconstruction, as in `Location`.
    image : (H, W) or (H, W, C) of pictures that come flattened.

    Raises `UsageError` for values out of range, or rows that are no pictures.

    Reference: Wang, Bovik, Sheikh & Simoncelli (2004), "Image quality assessment: from error visibility to
    structural similarity", equation 13; as a loss: Zhao, Gallo, Frosio & Kautz (2017), "Loss functions for image
    restoration with neural networks".

    >>> x = torch.rand(2, 16, 16)
    >>> Structural()(x, x)
    tensor([0., 0.])
    """

    def __init__(
        self,
        scales: int = 1,
        window: int = 11,
        std: float = 1.5,
        span: float | None = None,
        low: float | None = None,
        high: float | None = None,
        image: Sequence[int] | None = None,
    ) -> None:
        super().__init__(low, high)
        if scales not in range(1, len(SCALES) + 1):
            raise out_of_range("scales", f"an int from 1 to {len(SCALES)}", scales)
        if not isinstance(window, int) or window < 1 or window % 2 == 0:
            raise out_of_range("window", "an odd int of at least 1", window)
        if not 0 < std < math.inf:
            raise out_of_range("std", "a finite number above 0", std)
        if span is not None and not 0 < span < math.inf:
            raise out_of_range("span", "a finite number above 0", span)
        self.scales, self.window, self.std = scales, window, float(std)
        self.span = span if span is not None else self.bounds[1] - self.bounds[0] if self.bounds else 1.0
        self.image = None if image is None else tuple(int(side) for side in image)

    def distance(self, data: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        x, y = (on_grid(rows, self.image, 2).movedim(-1, 1) for rows in (data, target))
        if min(x.shape[2:]) < 2 ** (self.scales - 1):
            raise UsageError(f"{self.scales} scales halve a picture of {tuple(x.shape[2:])} away; use fewer scales.")
        similar = []
        for scale in range(self.scales):
            if scale:
                x, y = (functional.avg_pool2d(rows, 2) for rows in (x, y))
            luminance, structure = self.compare(x, y)
            last = scale == self.scales - 1
            similar.append(((luminance * structure) if last else structure).flatten(2).mean(2))
        if self.scales == 1:
            return 1 - similar[0].mean(1)
        total = sum(SCALES[: self.scales])
        powers = [s.clamp(min=LOWEST) ** (w / total) for s, w in zip(similar, SCALES, strict=False)]
        return 1 - torch.stack(powers).prod(0).mean(1)

    def compare(self, x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]) -> tuple[Tensor, Tensor]:
        """Luminance, and contrast with structure, at every window."""
        c1, c2 = (K1 * self.span) ** 2, (K2 * self.span) ** 2
        mean_x, mean_y = self.blurred(x), self.blurred(y)
        var_x, var_y = self.blurred(x * x) - mean_x**2, self.blurred(y * y) - mean_y**2
        both = self.blurred(x * y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        return luminance, (2 * both + c2) / (var_x + var_y + c2)

    def blurred(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Gaussian means over all windows that lie inside."""
        flat = x.flatten(0, 1).unsqueeze(1)
        for axis in (2, 3):
            size = min(self.window, flat.shape[axis] - (flat.shape[axis] + 1) % 2)
            place = torch.arange(size, dtype=x.dtype, device=x.device) - size // 2
            kernel = torch.softmax(-0.5 * (place / self.std) ** 2, 0)
            flat = functional.conv2d(flat, kernel.view(1, 1, -1, 1) if axis == 2 else kernel.view(1, 1, 1, -1))
        return flat.unflatten(0, x.shape[:2]).squeeze(2)

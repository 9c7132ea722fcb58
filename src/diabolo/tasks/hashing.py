"""Codes into bits: by their signs, after a rotation that loses least."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from . import principal

ROUNDS = 50


def itq(codes: Float[ndarray, "n d"], bits: int, *, rounds: int = ROUNDS, seed: int = 0) -> tuple[ndarray, ndarray]:
    """Iterative quantisation: the mean (D,) and the matrix (D, bits) after which signs are the best bits.

        V = (codes - mean) W,  W the leading principal axes;     min |B - V R|²  over  B in {-1, 1}, R orthogonal

    By turns: B = sign(V R), then R of the orthogonal Procrustes problem, from the singular vectors of Bᵀ V.

    codes : float (N, D). bits : at most D and N. rounds : of the two steps. seed : of the first rotation.

    Reference: Gong & Lazebnik (2011), "Iterative quantization: a Procrustean approach to learning binary codes",
    section 3.

    >>> rows = np.random.default_rng(0).normal(size=(100, 6))
    >>> mean, turn = itq(rows, 4)
    >>> turn.shape, bool(np.allclose(turn.T @ turn, np.eye(4)))
    ((6, 4), True)
    """
    found = principal.fit(lambda: iter([codes]), bits)
    # a code with fewer directions than bits has bits that say nothing: they are all alike, and do no harm
    axes = np.pad(found.axes, ((0, 0), (0, bits - found.n_components)))
    values = (codes - found.mean) @ axes
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, bits)))
    for _ in range(rounds):
        left, _, right = np.linalg.svd(np.where(values @ rotation < 0, -1.0, 1.0).T @ values)
        rotation = (left @ right).T
    return found.mean, axes @ rotation


def packed(signs: Float[ndarray, "n b"]) -> UInt8[ndarray, "n c"]:
    """Bits of values, 8 a byte: 1 where a value is not negative; the last byte is filled up with zeros.

    >>> packed(np.array([[-1.0, 1.0, 0.0]])).tolist()
    [[96]]
    """
    return np.packbits(signs >= 0, axis=1)


def is_binary(codes: ndarray) -> bool:
    """Whether codes are bits already: every value -1 or 1."""
    return bool((np.abs(codes) == 1).all())

"""The ladder's precision weighting, the flow posterior's densities, and several draws, against formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import kl_divergence

from diabolo.core import AutoencoderModule, Batch, Latent, Output, make
from diabolo.core.errors import UsageError
from diabolo.penalties.kl import KL


def module(neck: nn.Module, prior: str = "top-down") -> AutoencoderModule:
    made = make("prior", prior, features=neck.out_features, shape=(3,))
    return AutoencoderModule(nn.Identity(), neck, nn.Identity(), made)  # type: ignore[arg-type]


def test_a_layer_is_the_product_of_what_data_and_the_layers_above_say() -> None:
    neck = make("bottleneck", "hierarchical(levels=2)", features=6)
    h = torch.randn(5, neck.in_features)
    q, p = neck.posterior(h), neck.generative()
    z = q.sample()
    (_, _), (ours, _) = q._along(z)
    (_, _), (theirs, _) = p._along(z)
    mean, raw = h[:, 4:].chunk(2, -1)
    precision = (nn.functional.softplus(raw) + 1e-3) ** -2
    total = precision + theirs.base_dist.scale**-2
    torch.testing.assert_close(ours.base_dist.scale**-2, total)
    torch.testing.assert_close(ours.mean, (mean * precision + theirs.mean * theirs.base_dist.scale**-2) / total)


def test_a_layer_that_knows_nothing_is_its_prior_and_costs_nothing() -> None:
    neck = make("bottleneck", "hierarchical(levels=3)", features=7)
    parts = [torch.cat([torch.zeros(4, s), torch.full((4, s), 0.54132)], 1) for s in neck.sizes]  # softplus = 1 - 1e-3
    for part in parts[1:]:
        part.chunk(2, -1)[1].fill_(1e5)
    out = neck(tuple(parts))
    cost = KL()(module(neck), Batch(parts[0], parts[0]), Output(out, out.z))
    torch.testing.assert_close(cost, torch.zeros(4), rtol=0, atol=1e-3)


def test_its_kl_is_the_sampled_one_on_average_and_free_bits_are_a_layer_each() -> None:
    neck = make("bottleneck", "hierarchical(levels=2)", features=6)
    h = torch.randn(1, neck.in_features).expand(20_000, -1)
    latent, batch = neck(h), Batch(h, h)
    out = Output(latent, latent.z)
    exact, sampled = (KL(sampled=s)(module(neck), batch, out) for s in (False, True))
    torch.testing.assert_close(exact.mean(), sampled.mean(), rtol=3e-2, atol=1e-2)
    means = torch.stack([part.mean() for part in latent.posterior.divergences(neck.generative(), latent.z)])
    lifted = KL(free_bits=float(means.detach().max()) + 1)(module(neck), batch, out)
    torch.testing.assert_close(lifted.mean(), 2 * (means.max() + 1))


def test_one_level_is_the_ordinary_gaussian() -> None:
    ladder, plain = (make("bottleneck", name, features=3) for name in ("hierarchical(levels=1)", "gaussian"))
    h = torch.randn(5, 6)
    torch.testing.assert_close(ladder.code(h), plain.code(h))
    torch.testing.assert_close(
        ladder.posterior(h).log_prob(h[:, :3]), plain.posterior(h).log_prob(h[:, :3]), rtol=1e-2, atol=1e-2
    )


def test_a_pyramid_is_the_same_as_joined_features() -> None:
    tall, joined = (make("bottleneck", f"hierarchical(pyramid={p})", features=6) for p in (True, False))
    assert tall.in_features == (4, 8) and joined.in_features == 12
    joined.load_state_dict(tall.state_dict())
    parts = (torch.randn(5, 4), torch.randn(5, 8))
    torch.testing.assert_close(tall.code(parts), joined.code(torch.cat(parts, 1)))


def test_the_gradient_reaches_every_level_and_the_way_down() -> None:
    neck = make("bottleneck", "hierarchical(levels=3)", features=7)
    h = torch.randn(4, neck.in_features, requires_grad=True)
    latent = neck(h)
    KL()(module(neck), Batch(h, h), Output(latent, latent.z)).sum().backward()
    assert h.grad is not None and h.grad.ne(0).any(0).all()
    assert all(p.grad is not None and p.grad.ne(0).any() for p in neck.parameters())


@pytest.mark.parametrize("kind", ["planar", "autoregressive", "coupling"])
def test_a_flow_posteriors_kl_is_that_of_its_density(kind: str) -> None:
    neck = make("bottleneck", f"flow-posterior(kind={kind!r}, steps=2, hidden=(8,))", features=2)
    for p in neck.parameters():
        nn.init.normal_(p, std=0.3)
    h = torch.randn(1, neck.in_features).expand(2000, -1)
    latent = neck(h)
    fresh = neck.posterior(h[:1])
    torch.testing.assert_close(latent.posterior.log_prob(latent.z), fresh.log_prob(latent.z), rtol=1e-3, atol=1e-3)
    edges = torch.linspace(-12, 12, 241)
    grid = torch.cartesian_prod(edges, edges)
    mass = fresh.log_prob(grid).detach().exp().sum() * (edges[1] - edges[0]) ** 2
    assert float(mass) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("name", ["gaussian", "flow-posterior", "hierarchical"])
def test_several_draws_of_a_row_follow_each_other(name: str) -> None:
    one, many = make("bottleneck", name, features=4), make("bottleneck", f"{name}(samples=500)", features=4)
    many.load_state_dict(one.state_dict())
    h = torch.randn(3, one.in_features)
    latent: Latent = many(h)
    assert latent.draws == 500 and latent.z.shape == (1500, 4) and latent.code.shape == (3, 4)
    assert latent.posterior.log_prob(latent.z).shape == (1500,)
    q = one.posterior(h)
    means = q.sample(torch.Size([500])).mean(0)
    torch.testing.assert_close(latent.z.view(3, 500, 4).mean(1), means, rtol=0, atol=0.3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hierarchical(levels=0)", "levels must be an int of at least 1"),
        ("flow-posterior(kind='radial')", "kind must be 'autoregressive', 'coupling', 'planar'; got 'radial'"),
        ("flow-posterior(steps=0)", "steps must be an int of at least 1"),
        ("gaussian(samples=0)", "samples must be an int of at least 1"),
    ],
)
def test_ranges(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make("bottleneck", text, features=4)


def test_a_borrowed_prior_says_what_it_needs() -> None:
    plain: Any = module(make("bottleneck", "gaussian", features=4))
    with pytest.raises(UsageError, match="'top-down' is that of a hierarchical model"):
        plain.prior(plain)
    plain = module(make("bottleneck", "identity", features=4), "vamp")
    with pytest.raises(UsageError, match="'vamp' is made of posteriors"):
        plain.prior(plain)


def test_the_vamp_prior_is_the_mixture_of_posteriors_at_its_inputs() -> None:
    neck = make("bottleneck", "gaussian", features=2)
    encoder = nn.Linear(3, 4)
    encoder.forward = lambda x, mask=None, cond=None, f=encoder.forward: f(x)  # type: ignore[method-assign]
    made = AutoencoderModule(encoder, neck, nn.Identity(), make("prior", "vamp(components=7)", features=2, shape=(3,)))  # type: ignore[arg-type]
    rows = torch.randn(50, 3)
    with torch.no_grad():
        made.prior.begin(made, Batch(rows, rows))  # type: ignore[operator, union-attr]
    inputs = made.prior.inputs  # type: ignore[union-attr]
    assert all(any(torch.equal(u, row) for row in rows) for u in inputs)  # type: ignore[union-attr]
    z = torch.randn(6, 2)
    posteriors = [neck.posterior(encoder(u[None])) for u in inputs]  # type: ignore[union-attr]
    expected = torch.logsumexp(torch.cat([q.log_prob(z)[:, None] for q in posteriors], 1), 1) - torch.log(
        torch.tensor(7.0)
    )
    torch.testing.assert_close(made.prior(made).log_prob(z), expected)  # type: ignore[misc]
    made.prior(made).log_prob(z).sum().backward()  # type: ignore[misc]
    assert inputs.grad.ne(0).any() and encoder.weight.grad.ne(0).any()  # type: ignore[union-attr]
    assert kl_divergence(posteriors[0], posteriors[0]).item() == 0

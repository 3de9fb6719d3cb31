"""EVA: LoRA whose A starts as the main directions of what every layer is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates, InputError
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._start_data import StartData, see_inputs
from verirank.methods._svd_initialised import expect_singular_values
from verirank.methods.lora import LoRA
from verirank.methods.lora_variants._from_data import StartConfig, first_layer, inputs_of
from verirank.models import ModelShape

_ROWS = 512
"""Tokens whose inputs are decomposed together, at least."""


class EVA(LoRA):
    """A = the r first principal components of a layer's inputs, B = 0 (arXiv:2410.07170).

    The components are peft's incremental ones over one pass, which does not end before the data do.
    All layers have the same rank (the paper's rho = 1): moving ranks between layers would change
    the number of trained parameters with the data.
    """

    name = "eva"
    family = "data-initialised"
    reference = "arXiv:2410.07170"
    Config = StartConfig
    start_pass = "forward"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")

    def start_numbers(self, shape: ModelShape) -> int:
        """Return the sum of in x rows: those that wait to be decomposed."""
        return sum(i * 2 * self._rows for i, _ in shape.adapted(self.config.modules))

    @property
    def _rows(self) -> int:
        return max(_ROWS, 2 * self.config.rank)

    def start_from(self, model: nn.Module, data: StartData) -> dict[str, Tensor]:
        """Return A of every adapted linear.

        Raises:
            InputError: the data have fewer tokens than the rank.
        """
        gathered = _Components(self.config.rank, self._rows)
        names = sorted(self.targets(model))
        see_inputs(model, names, data, gathered.see)
        return {f"{name}.lora_A": gathered.of(name) for name in names}

    def expect_shapes(self, model: nn.Module) -> None:
        """Refuse a rank above that of an adapted matrix.

        Raises:
            InputError: it is.
        """
        expect_singular_values(self, model, self.config.rank)

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach LoRA and set every A."""
        adapted = super().attach(model, seed=seed, total_steps=total_steps)
        for name, layer in adapted_layers(adapted).items():
            if initial is not None:
                layer.lora_A[ADAPTER].weight.data = initial[f"{name}.lora_A"].clone()
        return adapted

    def initial_state(self, model: nn.Module) -> dict[str, Tensor]:
        """Return a copy of every A, so that no resume needs the data."""
        layers = adapted_layers(model)
        return {
            f"{n}.lora_A": la.lora_A[ADAPTER].weight.detach().clone() for n, la in layers.items()
        }

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """A is orthonormal, and holds as much of its inputs' variance as any r directions can."""
        name, _ = first_layer(policy)
        rows = torch.cat(inputs_of(policy, name)).double()
        covariance = torch.cov(rows.T)
        a = policy.initial[f"{name}.lora_A"].double()
        crooked = float((a @ a.T - torch.eye(len(a), device=a.device)).abs().max())
        most = torch.linalg.eigvalsh(covariance)[-len(a) :].sum()
        held = float((a @ covariance @ a.T).trace() / most)
        right_scale, detail = self.scaled_by(policy)
        passed = right_scale and crooked < 1e-4 and held > 0.98
        return passed, f"A off orthonormal by {crooked:.1e}, holds {held:.4f} of the most; {detail}"


class _Components:
    """Principal components of inputs that come in parts, by layer; layers of one input share."""

    def __init__(self, rank: int, rows: int) -> None:
        self._rank, self._rows = rank, rows
        self._fits: dict[str, _Fit] = {}
        self._sharing: dict[str, str] = {}
        self._latest: tuple[str, Tensor] | None = None

    def see(self, name: str, rows: Tensor) -> None:
        """Take a part of a layer's inputs."""
        if self._latest is not None and rows is self._latest[1]:
            self._sharing[name] = self._latest[0]
            return
        self._latest = name, rows
        if name not in self._fits:
            self._fits[name] = _Fit(self._rank, self._rows)
        self._fits[name].add(rows)

    def of(self, name: str) -> Tensor:
        """Return the components of a layer's inputs, r x in."""
        found = self._fits[self._sharing.get(name, name)].finish()
        # A loaded tensor is contiguous, and products of other strides round differently.
        return found.clone(memory_format=torch.contiguous_format)


class _Fit:
    """peft's incremental principal components, fed with as many rows at once as they need."""

    def __init__(self, rank: int, rows: int) -> None:
        from peft.utils.incremental_pca import IncrementalPCA

        # The seed is the one that peft's own EVA has.
        self._pca = IncrementalPCA(n_components=rank, lowrank=True, lowrank_seed=42)
        self._rank, self._rows = rank, rows
        self._waiting: list[Tensor] = []

    def add(self, rows: Tensor) -> None:
        """Take rows; decompose those that are not needed to make up a last lot."""
        self._waiting.append(rows.clone())
        while sum(map(len, self._waiting)) >= 2 * self._rows:
            waiting = torch.cat(self._waiting)
            self._decompose(waiting[: self._rows])
            self._waiting = [waiting[self._rows :].clone()]

    def finish(self) -> Tensor:
        """Decompose what is left, and return the components.

        Raises:
            InputError: there were fewer rows than components.
        """
        if self._waiting:
            rows, self._waiting = torch.cat(self._waiting), []
            if len(rows) < self._rank:
                raise InputError(
                    f"the completions that method 'eva' starts from have {len(rows)} tokens, fewer "
                    f"than the rank {self._rank}: raise method.problems"
                )
            self._decompose(rows)
        return self._pca.components_.to(torch.float32)

    def _decompose(self, rows: Tensor) -> None:
        self._pca.lowrank_q = min(2 * self._rank, *rows.shape)
        self._pca.partial_fit(rows)

"""Log-probabilities of sampled tokens: prompts shared, logits never held as N x T x V."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import RunFailedError
from verirank.processes import shard
from verirank.training._attention import PACKED_ATTENTION, Packing
from verirank.training._head import chosen_logprobs
from verirank.training._layers import fuse_layers
from verirank.training._sequences import Sequences


class PackingIgnoredError(RunFailedError):
    """A model's layers attend in a way of their own, in which completions would see each other."""


class CompletionLogprobs(nn.Module):
    """Maps sequences to their sampled tokens' log-probabilities at the sampling temperature.

    A module of its own, because nothing outside its forward pass may use a sharded parameter.
    """

    def __init__(self, model: Any, temperature: float) -> None:
        """Compute by a causal language model, adapted or plain, parts of which are replaced."""
        super().__init__()
        self.model = model
        self.temperature = temperature
        model.set_attn_implementation(PACKED_ATTENTION)
        fuse_layers(model)

    def forward(self, sequences: Sequences) -> Tensor:
        """Return N x T, fp32, nats; 0 where there is no token.

        Raises:
            PackingIgnoredError: a layer did not attend as it was told.
        """
        tokens_M = sequences.tokens_M
        packing = Packing.of(sequences, by_products=tokens_M.device.type == "cpu")
        decoder = self.model.get_decoder()
        hidden_MH = decoder(
            input_ids=tokens_M[None],
            # A mask with four axes is taken as it is; this one is not looked at.
            attention_mask=tokens_M.new_zeros((1, 1, 1, 1)),
            position_ids=sequences.positions_M[None],
            use_cache=False,
            packing=packing,
        )[0][0]
        if packing.heeded != len(decoder.layers):
            raise PackingIgnoredError(
                f"{packing.heeded} of {len(decoder.layers)} layers of {type(decoder).__name__} "
                "attend by the attention that they are given; it cannot be trained packed"
            )
        mask_NT = sequences.mask_NT()
        before, tokens = sequences.before_NT()[mask_NT], tokens_M[sequences.places_NT()[mask_NT]]
        head = self.model.get_output_embeddings()
        chosen = chosen_logprobs(head, hidden_MH[before], tokens, self.temperature)
        return torch.zeros(mask_NT.shape, device=chosen.device).masked_scatter(mask_NT, chosen)

    def checkpoint_layers(self) -> None:
        """Let every decoder layer keep its input alone, and compute the rest again backward."""
        self.model.gradient_checkpointing_enable({"use_reentrant": False})
        for layer in self.model.get_decoder().layers:
            # transformers checkpoints a layer in training mode only; what could drop out in that
            # mode stands inside the layer, and stays in evaluation mode.
            layer.training = True

    def shard(self) -> None:
        """Split the model over the processes, a decoder layer at a time."""
        shard(self, self.model.get_decoder().layers, self.model.device.type)

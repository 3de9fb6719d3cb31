"""Log-probabilities of sampled tokens, packed where the kernels know the model's form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import RunFailedError
from verirank.kernels import (
    PACKED_ATTENTION,
    Packing,
    Sequences,
    chosen_logprobs,
    fuse_layers,
)
from verirank.models import decoder_layers
from verirank.processes import shard


class PackingIgnoredError(RunFailedError):
    """A model's layers do not use the packed attention, so completions would see each other."""

    failure_kind = "invalid"


class CompletionLogprobs(nn.Module):
    """Maps sequences to their sampled tokens' log-probabilities at the sampling temperature.

    Models whose form the kernels know are computed packed; any other by transformers' own forward
    pass over padded rows. A module, because nothing outside its forward pass may use a sharded
    parameter.
    """

    def __init__(self, model: Any, temperature: float, *, packed: bool = True) -> None:
        """Compute by a causal language model, adapted or plain, parts of which are replaced.

        Args:
            model: the model.
            temperature: the sampling temperature.
            packed: whether the kernels know the model's form (`BaseModel.form`).
        """
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.packed = packed
        if packed:
            model.set_attn_implementation(PACKED_ATTENTION)
            fuse_layers(model)

    def forward(self, sequences: Sequences) -> Tensor:
        """Return N x T, fp32, nats; 0 where there is no token.

        Raises:
            PackingIgnoredError: a layer did not use the packed attention.
        """
        chosen = self._packed(sequences) if self.packed else self._padded(sequences)
        mask_NT = sequences.mask_NT()
        return torch.zeros(mask_NT.shape, device=chosen.device).masked_scatter(mask_NT, chosen)

    def _packed(self, sequences: Sequences) -> Tensor:
        """Return the log-probabilities of all sampled tokens, in the order of `mask_NT`."""
        tokens_M = sequences.tokens_M
        packing = Packing.of(sequences, by_products=tokens_M.device.type == "cpu")
        decoder = self.model.get_decoder()
        hidden_MH = decoder(
            input_ids=tokens_M[None],
            # transformers leaves a mask of four axes alone, and packed attention ignores it.
            attention_mask=tokens_M.new_zeros((1, 1, 1, 1)),
            position_ids=sequences.positions_M[None],
            use_cache=False,
            packing=packing,
        )[0][0]
        if packing.calls != len(decoder.layers):
            raise PackingIgnoredError(
                f"{packing.calls} of {len(decoder.layers)} layers of {type(decoder).__name__} "
                "attend by the attention that they are given; it cannot be trained packed"
            )
        mask_NT = sequences.mask_NT()
        before, tokens = sequences.before_NT()[mask_NT], tokens_M[sequences.indices_NT()[mask_NT]]
        head = self.model.get_output_embeddings()
        return chosen_logprobs(head, hidden_MH[before], tokens, self.temperature)

    def _padded(self, sequences: Sequences) -> Tensor:
        """Return the same by a row of prompt and completion each, padded on the right."""
        rows_NL, mask_NT = sequences.rows_NL(), sequences.mask_NT()
        prompts_N1 = sequences.prompt_lengths_P[sequences.prompt_N, None]
        lengths_N1 = prompts_N1 + sequences.lengths_N[:, None]
        columns_L = torch.arange(rows_NL.shape[1], device=rows_NL.device)
        logits_NLV = self.model(
            input_ids=sequences.tokens_M[rows_NL],
            attention_mask=(columns_L < lengths_N1).long(),
            use_cache=False,
        ).logits
        before_NT = prompts_N1 - 1 + torch.arange(mask_NT.shape[1], device=rows_NL.device)
        rows_N1 = torch.arange(len(rows_NL), device=rows_NL.device)[:, None]
        rows = rows_N1.expand_as(before_NT)[mask_NT]
        logits_MV = logits_NLV[rows, before_NT[mask_NT]].float() / self.temperature
        tokens = sequences.tokens_M[sequences.indices_NT()[mask_NT]]
        return logits_MV.log_softmax(-1).gather(1, tokens[:, None])[:, 0]

    def checkpoint_layers(self) -> None:
        """Save only the input of every decoder layer, and recompute the rest backward."""
        self.model.gradient_checkpointing_enable({"use_reentrant": False})
        for layer in decoder_layers(self.model):
            # transformers checkpoints layers in training mode only; their dropouts are inside the
            # layer and stay in evaluation mode.
            layer.training = True

    def shard(self) -> None:
        """Shard the model over the processes, a decoder layer at a time."""
        shard(self, decoder_layers(self.model), self.model.device.type)

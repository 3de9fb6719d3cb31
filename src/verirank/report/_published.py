"""What arXiv:2512.23165 prints, to stand beside a study's own numbers."""

BENCHES = frozenset({"aime24", "aime25", "amc23", "hmmt25", "math-500", "minerva"})
"""What the paper averages over."""

PUBLISHED = {
    "full": 44.9,
    "lora": 42.5,
    "dora": 46.6,
    "adalora": 44.2,
    "miss": 43.4,
    "lora-plus": 43.9,
    "lora-fa": 43.0,
    "pissa": 0.2,
    "milora": 18.0,
    "vera": 40.7,
    "ia3": 22.3,
    "ln-tuning": 41.8,
}
"""Average accuracy in percent of DeepSeek-R1-Distill-Qwen-1.5B over six mathematics benches: one
learning rate, one seed. rsLoRA's figure is not in the paper's text; LoRA-FA's is 45.3 in its figure
and 43.0 in its text."""

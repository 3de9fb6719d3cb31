"""LoRA with another start, another frozen part or other ranks; its forward pass is LoRA's."""

"""What leads an answer in, or follows it, as models and benches write it."""

import pytest

from verirank.verifier import decide


@pytest.mark.parametrize(
    "answer",
    [
        "Janet sells 84 eggs.\n#### 84",
        "10*8=80\n80+4=84\n#### 84",
        "The final answer is $84$. I hope it is correct.",
        "Final Answer: The final answer is $84$. I hope it is correct.",
        "> **84**",
    ],
)
def test_an_answer_is_read_behind_what_leads_it_in(answer):
    verdict = decide("84", answer)
    assert verdict is not None and verdict.correct


@pytest.mark.parametrize(
    "answer",
    [
        "80+4=84\n#### 85",
        "#### 84\n#### 85",
        "#### 84\nNo, 85.",
        "#### 84\n#### 84 is wrong",
        "The final answer is $85$. I hope it is correct.",
        "The final answer is $84$. I hope it is not correct.",
        "> 84",
    ],
)
def test_another_answer_is_wrong_behind_what_leads_it_in(answer):
    verdict = decide("84", answer)
    assert verdict is not None and not verdict.correct

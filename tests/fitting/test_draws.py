"""Random blocks: within the array, everywhere in it, and the same in a step that is repeated."""

from napari_cellinr.fitting.draws import random_block, random_of_step


def test_blocks_lie_in_the_array_and_reach_both_ends():
    blocks = [random_block((5, 7), (3, 7), random_of_step(0, step)) for step in range(50)]
    assert {block[0].start for block in blocks} == {0, 1, 2}
    assert all(block[0].stop - block[0].start == 3 for block in blocks)
    assert all(block[1] == slice(0, 7) for block in blocks)


def test_a_step_draws_the_same_again():
    first, again, other = (random_of_step(1, step).random(3).tolist() for step in (4, 4, 5))
    assert first == again != other

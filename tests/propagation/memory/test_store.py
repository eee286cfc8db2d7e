"""The memory reads what a plain dense computation reads, and keeps to its budget."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.propagation.memory.buffers import Encoded
from ivos.propagation.memory.similarity import Query
from ivos.propagation.memory.store import Keep, Memory

C, V, P = 8, 6, 10  # key and value channels, positions in a slice


def slice_of(seed: int, structures: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(C, P, generator=g), torch.randn(structures, V, P, generator=g)


def slice_bytes(structures: int) -> int:
    return P * (C + structures * V) * 4


def memory_of(slices: int, structures: int = 2) -> Memory:
    return Memory(slices * slice_bytes(structures) + 7)


def add(memory: Memory, index: int, keep: Keep, structures: int = 2, known: list[bool] | None = None) -> None:
    memory.add(index, Encoded(*slice_of(index, structures)), torch.tensor(known or [True] * structures), keep)


def dense(entries: list[tuple[int, list[bool]]], query: torch.Tensor, top_k: int, structures: int) -> torch.Tensor:
    """The definition, structure by structure, over all positions at once."""
    out = torch.zeros(structures, V, query.shape[1])
    for k in range(structures):
        parts = [slice_of(index, structures) for index, known in entries if known[k]]
        if not parts:
            continue
        keys = torch.cat([key for key, _ in parts], 1)
        values = torch.cat([value[k] for _, value in parts], 1)
        similarity = -((keys[:, :, None] - query[:, None, :]) ** 2).sum(0) / math.sqrt(C)  # (N, M)
        for m in range(query.shape[1]):
            best = similarity[:, m].topk(min(top_k, keys.shape[1])).indices
            weights = similarity[best, m].softmax(0)
            out[k, :, m] = values[:, best] @ weights
    return out


@settings(max_examples=40, deadline=None)
@given(
    known=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5),
    top_k=st.sampled_from([1, 4, 20, 1000]),
    seed=st.integers(100, 10_000),
)
def test_reading_equals_the_definition(known: list[list[bool]], top_k: int, seed: int) -> None:
    memory = memory_of(6, 3)
    for index, flags in enumerate(known):
        memory.add(index, Encoded(*slice_of(index, 3)), torch.tensor(flags), Keep.ALWAYS)
    query = torch.randn(C, 7, generator=torch.Generator().manual_seed(seed))
    expected = dense(list(enumerate(known)), query, top_k, 3)
    torch.testing.assert_close(memory.read(Query(query), top_k), expected, atol=1e-5, rtol=1e-4)


def test_values_in_bfloat16_take_half_the_budget_and_read_nearly_the_same() -> None:
    key, value = slice_of(0, 2)
    whole, half = memory_of(1), memory_of(1)
    whole.add(0, Encoded(key, value), torch.ones(2, dtype=torch.bool), Keep.ALWAYS)
    half.add(0, Encoded(key, value.bfloat16()), torch.ones(2, dtype=torch.bool), Keep.ALWAYS)
    assert half.used_bytes == P * (C * 4 + 2 * V * 2)
    query = torch.randn(C, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(half.read(Query(query), 20).float(), whole.read(Query(query), 20), atol=0.02, rtol=0.02)


def test_annotated_slices_are_never_evicted_and_the_oldest_others_go_first() -> None:
    memory = memory_of(4)
    add(memory, 50, Keep.ALWAYS)
    add(memory, 0, Keep.ALWAYS)
    for index in range(1, 30):
        add(memory, index, Keep.WHILE_ROOM)
        assert memory.used_bytes <= 4 * slice_bytes(2) + 7
    assert memory.indices == [50, 0, 28, 29]
    add(memory, 60, Keep.ALWAYS)
    assert memory.indices == [50, 0, 29, 60]


def test_the_last_slice_gives_way_to_the_next_of_any_kind() -> None:
    memory = memory_of(8)
    add(memory, 0, Keep.ALWAYS)
    add(memory, 1, Keep.UNTIL_NEXT)
    add(memory, 2, Keep.UNTIL_NEXT)
    assert memory.indices == [0, 2]
    add(memory, 5, Keep.WHILE_ROOM)
    assert memory.indices == [0, 5]


def test_a_slice_seen_again_replaces_itself() -> None:
    memory = memory_of(2)
    add(memory, 3, Keep.WHILE_ROOM)
    add(memory, 3, Keep.ALWAYS)
    assert memory.indices == [3]


def test_slots_that_were_freed_are_not_read() -> None:
    memory = memory_of(8)
    for index in range(3):
        add(memory, index, Keep.ALWAYS)
    add(memory, 3, Keep.UNTIL_NEXT)
    memory.add(
        1, Encoded(*slice_of(77, 2)), torch.ones(2, dtype=torch.bool), Keep.ALWAYS
    )  # slice 3 goes, slice 1 is redrawn
    query = torch.randn(C, 5, generator=torch.Generator().manual_seed(1))
    both = [True, True]
    expected = dense([(0, both), (77, both), (2, both)], query, 20, 2)
    torch.testing.assert_close(memory.read(Query(query), 20), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("room", [0, 2])
def test_a_budget_too_small_for_the_annotations_is_refused(room: int) -> None:
    memory = memory_of(room)
    for index in range(room):
        add(memory, index, Keep.ALWAYS)
    with pytest.raises(InputError, match=rf"does not hold {room + 1} annotated slices.*--memory-budget"):
        add(memory, room, Keep.ALWAYS)


def test_predicted_slices_are_left_out_where_annotations_fill_the_budget() -> None:
    memory = memory_of(2)
    add(memory, 0, Keep.ALWAYS)
    add(memory, 9, Keep.ALWAYS)
    add(memory, 1, Keep.WHILE_ROOM)
    add(memory, 2, Keep.UNTIL_NEXT)
    assert memory.indices == [0, 9]


def test_the_values_of_a_slice_come_back_as_they_were_put_in() -> None:
    memory = memory_of(3)
    assert memory.value(0) is None
    for index in range(3):
        add(memory, index, Keep.ALWAYS)
    found = memory.value(1)
    assert found is not None
    assert torch.equal(found, slice_of(1, 2)[1])
    assert memory.value(7) is None

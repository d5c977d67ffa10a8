"""One value, many readers."""

import asyncio

from mesh.control.latest import KEPT, Latest


def test_a_reader_gets_the_newest_value_at_once_and_then_each_newer_one() -> None:
    async def main() -> None:
        latest: Latest[int] = Latest()
        latest.put(1)
        reader = latest.watch()
        assert await anext(reader) == 1
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        assert not waiting.done()
        latest.put(2)
        assert await waiting == 2

    asyncio.run(main())


def test_a_slow_reader_skips_values_but_never_the_newest() -> None:
    async def main() -> None:
        latest: Latest[int] = Latest()
        latest.put(1)
        reader = latest.watch()
        await anext(reader)
        for value in range(2, 10):
            latest.put(value)
        assert await anext(reader) == 9

    asyncio.run(main())


def test_equal_values_are_news_too() -> None:
    async def main() -> None:
        latest: Latest[str] = Latest()
        latest.put("same")
        reader = latest.watch()
        await anext(reader)
        latest.put("same")
        assert await anext(reader) == "same"

    asyncio.run(main())


def test_readers_are_counted_while_they_read() -> None:
    async def main() -> None:
        latest: Latest[int] = Latest()
        latest.put(1)
        reader = latest.watch()
        await anext(reader)
        assert latest.readers == 1
        await reader.aclose()
        assert repr(latest) == "Latest(1, readers=0)"

    asyncio.run(main())


def test_a_reader_of_a_part_sleeps_while_the_part_is_the_same_object() -> None:
    async def main() -> None:
        latest: Latest[dict[str, object]] = Latest()
        reader = latest.watch(lambda value: value.get("a"))
        one, two = object(), object()
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        latest.put({})  # the first value is news though there is no such part
        assert await waiting == {}
        waiting = asyncio.ensure_future(anext(reader))
        latest.put({"b": one})
        await asyncio.sleep(0)
        assert not waiting.done()
        latest.put({"a": one})
        assert await waiting == {"a": one}
        latest.put({"a": two})
        latest.put({"a": two, "b": one})  # the part changed since it was read
        assert await anext(reader) == {"a": two, "b": one}
        await reader.aclose()
        assert latest.readers == 0

    asyncio.run(main())


def test_some_values_are_kept_and_the_newest_is_the_last_of_them() -> None:
    latest: Latest[int] = Latest()
    assert not latest.kept
    for value in range(2 * KEPT):
        latest.put(value)
    assert list(latest.kept) == list(range(KEPT, 2 * KEPT))
    assert latest.value == 2 * KEPT - 1

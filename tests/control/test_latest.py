"""One value, many readers."""

import asyncio

from mesh.control.latest import Latest


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
        await reader.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert repr(latest) == "Latest(1, readers=0)"

    asyncio.run(main())

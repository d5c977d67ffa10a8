"""What is read from the output of load generators, and that no failure goes unnoticed."""

import pytest

from tests.bench.load import (
    InvalidRunError,
    framed,
    lua,
    missing_tools,
    parse_h2load,
    parse_wrk,
    rate_of,
    run_h2load,
    run_wrk,
)
from tests.bench.payload import CALL, JSON_BODY, RPC
from tests.bench.servers import grpc_aio, uvicorn

needs_tools = pytest.mark.skipif(bool(missing_tools()), reason="wrk and h2load are not installed")

WRK = """Running 3s test @ http://127.0.0.1:8000/double
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.02ms  610.20us  21.11ms   90.53%
    Req/Sec    21.30k     1.02k   22.60k    80.00%
  Latency Distribution
     50%    2.91ms
     75%    3.20ms
     90%    3.50ms
     99%  987.65us
  63710 requests in 3.00s, 10.51MB read
{errors}Requests/sec:  21231.92
Transfer/sec:      3.50MB
"""
H2LOAD = """starting benchmark...
spawning thread #0: 1 total client(s). 4 total requests
Application protocol: h2c

finished in 2.00ms, 2000.50 req/s, 721.94KB/s
requests: 4 total, 4 started, {done} done, {good} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: {ok} 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1.41KB (1447) total, 105.49KB (108021) headers (space savings 96.29%), 40B ({data}) data
                     min         max         mean         sd        +/- sd
time for request:      237us     12.08ms      5.38ms      1.02ms    89.19%
"""
LOG = "1795397518508766\t200\t{}\n"


def h2load(
    *, done: int = 4, good: int = 4, failed: int = 0, ok: int = 4, data: int | str = 40
) -> str:
    return H2LOAD.format(done=done, good=good, failed=failed, ok=ok, data=data)


def log(*microseconds: int) -> str:
    return "".join(LOG.format(each) for each in microseconds)


def test_the_figures_of_wrk_are_read_in_seconds() -> None:
    load = parse_wrk(WRK.format(errors=""))
    assert (load.rate, load.p50, load.p99) == pytest.approx((21231.92, 0.00291, 0.00098765))


@pytest.mark.parametrize(
    "errors",
    [
        "  Non-2xx or 3xx responses: 12\n",
        "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
    ],
)
def test_one_error_that_wrk_met_makes_the_run_invalid(errors: str) -> None:
    with pytest.raises(InvalidRunError, match=errors.strip()):
        parse_wrk(WRK.format(errors=errors))


def test_a_run_of_wrk_without_answers_is_invalid() -> None:
    with pytest.raises(InvalidRunError, match="no request was answered"):
        parse_wrk(WRK.format(errors="").replace("63710 requests", "0 requests"))


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused"])
def test_an_output_without_figures_is_invalid(output: str) -> None:
    with pytest.raises(InvalidRunError):
        parse_wrk(output)
    with pytest.raises(InvalidRunError):
        rate_of(output)


def test_the_figures_of_h2load_come_from_its_summary_and_its_log() -> None:
    load = parse_h2load(h2load(), log(400, 100, 300, 200), 4, 10)
    assert (load.rate, load.p50, load.p99) == pytest.approx((2000.5, 0.0003, 0.0004))


@pytest.mark.parametrize(
    "output",
    [
        h2load(good=3, failed=1),
        h2load().replace("0 errored", "1 errored"),
        h2load().replace("0 timeout", "1 timeout"),
        h2load(ok=3).replace("0 5xx", "1 5xx"),
        h2load(done=0, good=0, ok=0),
    ],
)
def test_one_request_that_h2load_counts_as_failed_makes_the_run_invalid(output: str) -> None:
    with pytest.raises(InvalidRunError, match="h2load: requests: 4 total"):
        parse_h2load(output, log(1, 2, 3, 4), 4, 10)
    with pytest.raises(InvalidRunError, match="h2load: requests: 4 total"):
        rate_of(output)


def test_a_warm_up_may_end_with_requests_on_their_way() -> None:
    output = h2load(done=3, good=3)
    assert rate_of(output) == 2000.5
    with pytest.raises(InvalidRunError, match="3 succeeded of 4 requests"):
        parse_h2load(output, log(1, 2, 3, 4), 4, 10)


def test_one_reply_without_a_message_makes_the_run_invalid() -> None:
    with pytest.raises(InvalidRunError, match="30 bytes of messages, not 40"):
        parse_h2load(h2load(data=30), log(1, 2, 3, 4), 4, 10)


def test_a_log_that_lacks_a_request_makes_the_run_invalid() -> None:
    with pytest.raises(InvalidRunError, match="3 of 4 calls"):
        parse_h2load(h2load(), log(1, 2, 3), 4, 10)


def test_a_status_in_the_log_that_is_no_success_makes_the_run_invalid() -> None:
    with pytest.raises(InvalidRunError, match="status -1"):
        parse_h2load(h2load(), log(1, 2, 3) + "1795397518508766\t-1\t4\n", 4, 10)


def test_a_message_has_its_length_before_it() -> None:
    assert framed(b"hello") == b"\0\0\0\0\x05hello"


def test_a_body_reaches_wrk_as_it_is() -> None:
    assert 'wrk.body = [==[{"x": [[0.1]]}]==]\n' in lua('{"x": [[0.1]]}')


@needs_tools
def test_calls_that_succeed_are_measured() -> None:
    with grpc_aio() as server:
        load = run_h2load(server.url + RPC, CALL, len(CALL), 4, 0.2)
    assert load.rate > 0
    assert load.p99 >= load.p50 > 0


@needs_tools
def test_calls_that_fail_within_a_success_of_http_are_noticed() -> None:
    with grpc_aio() as server, pytest.raises(InvalidRunError, match="0 bytes of messages"):
        run_h2load(server.url + "/mesh.v1.Inference/Unknown", CALL, len(CALL), 4, 0.2)


@needs_tools
def test_requests_that_fail_are_noticed() -> None:
    with uvicorn() as server:
        assert run_wrk(server.url, JSON_BODY, 4, 1).rate > 0
        with pytest.raises(InvalidRunError, match="Non-2xx or 3xx responses"):
            run_wrk(server.url, "[", 4, 1)


@needs_tools
def test_a_server_that_is_not_there_makes_the_run_invalid() -> None:
    with pytest.raises(InvalidRunError, match="h2load"):
        run_h2load(f"http://127.0.0.1:9{RPC}", CALL, len(CALL), 1, 0.2)
    with pytest.raises(InvalidRunError, match="wrk"):
        run_wrk("http://127.0.0.1:9/", JSON_BODY, 1, 1)

"""What handing a request from a prefill to a decode worker takes."""

import numpy as np
import pytest

from profiler.estimate import handover_ms


def test_a_slower_decode_worker_takes_requests_later():
    times = handover_ms([5.0, 10.0, 40.0])
    assert np.all(np.diff(times) > 0)
    assert times[2] == pytest.approx(4 * times[1])
    assert 50 < times[0] < 150  # as the measured rows with few requests in flight

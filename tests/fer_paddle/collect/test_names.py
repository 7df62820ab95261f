"""File names out of foreign text."""

import pytest

from fer_paddle.collect.names import MAX_BYTES, safe_name, save_new


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smile 01", "smile_01"),
        ("笑脸（一）", "笑脸（一）"),  # letters and signs of all scripts stay
        ("e\u0301te\u0301", "\u00e9t\u00e9"),  # one spelling of each letter
        ("../../etc/passwd", "etc_passwd"),
        ("／etc／passwd", "etc_passwd"),  # full-width slashes
        ("C:\\a", "C_a"),
        ('a:b*c?d<e>f|g"h', "a_b_c_d_e_f_g_h"),
        (".hidden", "hidden"),  # a dot would hide it from list_images
        ("dots...", "dots"),  # Windows drops them, and two names become one
        ("a\x00b\nc", "ab_c"),
        ("photo\u202egpj.exe", "photogpj.exe"),  # a mark that turns the direction of writing
        ("\ud800", "image"),  # half a surrogate pair
        ("", "image"),
        ("..", "image"),
        # Windows' devices, in any case and with any suffix
        ("con", "con_"),
        ("NUL", "NUL_"),
        ("Com1.backup", "Com1_.backup"),
        ("aux .txt", "aux_.txt"),
        ("图" * 200, "图" * (MAX_BYTES // 3)),  # cut between letters
    ],
)
def test_safe_name(text, name):
    assert safe_name(text) == name


def test_a_taken_name_gets_a_number_and_the_same_file_is_not_written_twice(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a-2.jpg").symlink_to("nowhere")  # a broken link takes its name too
    for _ in range(2):
        assert save_new(tmp_path, "a", ".jpg", lambda path: path.write_text("new"))[0].name == "a-3.jpg"

"""The crawl as a whole: pages in, images and a manifest out; it goes on where it was."""

import hashlib
import json

import pytest

from fer_paddle.collect.crawl import MANIFEST, Crawler, read_manifest
from fer_paddle.collect.links import Found, ImageLink
from fer_paddle.collect.pages import SeedPages
from fer_paddle.images import list_images


def names(folder):
    return [path.name for path in list_images(folder)]


def fates(report):
    return {record.url.rpartition("/")[2]: record.status for record in report.records}


def test_images_and_their_manifest(site, make_fetcher, tmp_path):
    body = site.put_image("/a/face.jpg", 1)
    site.put_image("/%E7%AC%91.png", 2)
    page = site.put("/page", "<a rel=license href=/by>CC BY</a><img src=/a/face.jpg><img src=/笑.png>")
    report = Crawler(tmp_path, make_fetcher()).crawl(SeedPages([page]))
    assert report.counts() == {"saved": 2, "copy": 0, "refused": 0, "failed": 0}
    assert names(tmp_path) == ["face.jpg", "笑.png"]
    assert (tmp_path / "face.jpg").read_bytes() == body  # as it came, not encoded again
    record = read_manifest(tmp_path)[0]
    assert record["url"] == f"{site.url}/a/face.jpg" and record["page"] == page and record["file"] == "face.jpg"
    assert record["sha256"] == hashlib.sha256(body).hexdigest() and record["bytes"] == len(body)
    assert (record["width"], record["height"]) == (80, 80)
    assert record["license"] == f"CC BY {site.url}/by" and record["time"].endswith("+00:00")


def test_what_lies_is_found_out(site, make_fetcher, tmp_path):
    """A content type, a name and a length say nothing; the bytes do."""
    site.put("/html.jpg", "<html>", "image/jpeg")
    site.put("/empty.jpg", b"", "image/jpeg")
    site.put("/tiny.jpg", site.put_image("/tiny-one", 3, side=8), "image/jpeg")
    png = site.put_image("/x.png", 4)
    site.put("/photo.jpg", png, "image/jpeg")  # a PNG
    site.put("/half.jpg", site.put_image("/whole.jpg", 5)[:400], "image/jpeg")
    site.put("/face.php", site.put_image("/face", 6), "application/octet-stream")
    site.put("/page.jpg", "<img>", "text/html")
    sources = ["html.jpg", "empty.jpg", "tiny.jpg", "photo.jpg", "half.jpg", "face.php", "page.jpg", "gone.jpg"]
    page = site.put("/", "".join(f"<img src={name}>" for name in sources))
    report = Crawler(tmp_path, make_fetcher()).crawl(SeedPages([page]))
    assert names(tmp_path) == ["face.jpg", "photo.png"]
    refused = {name for name, status in fates(report).items() if status == "refused"}
    assert refused == {"html.jpg", "empty.jpg", "tiny.jpg", "half.jpg", "page.jpg", "gone.jpg"}
    assert all(record.reason for record in report.records if record.status == "refused")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/..%2F..%2Fevil.jpg", "evil.jpg"),
        ("/%2e%2e%5Cevil.jpg", "evil.jpg"),
        ("/" + "x" * 300 + ".jpg", "x" * 100 + ".jpg"),
        ("/get?file=../../x.jpg", "get.jpg"),
    ],
)
def test_names_stay_in_the_folder(site, make_fetcher, tmp_path, path, name):
    site.put_image(path, 1)
    Crawler(tmp_path / "in", make_fetcher()).crawl(SeedPages([site.url + path]))
    assert names(tmp_path / "in") == [name]
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


def test_one_name_and_one_image_twice(site, make_fetcher, tmp_path):
    body = site.put_image("/1/face.jpg", 1)
    site.put_image("/2/FACE.jpg", 2)
    site.put("/3/again.jpg", body, "image/jpeg")
    urls = [f"{site.url}/{path}" for path in ("1/face.jpg", "2/FACE.jpg", "3/again.jpg")]
    report = Crawler(tmp_path, make_fetcher()).crawl(SeedPages(urls))
    assert report.counts()["saved"] == 2 and report.counts()["copy"] == 1
    assert report.records[2].file == "face.jpg"
    assert len(names(tmp_path)) == 2


def test_a_crawl_goes_on_where_it_was(site, make_fetcher, tmp_path):
    for number in range(4):
        site.put_image(f"/{number}.jpg", number)
    site.pages["/1.jpg"] = (503, {}, b"")
    page = site.put("/", "".join(f"<img src={number}.jpg>" for number in range(5)))
    first = Crawler(tmp_path, make_fetcher(attempts=1), max_images=2).crawl(SeedPages([page]))
    assert first.counts() == {"saved": 2, "copy": 0, "refused": 0, "failed": 1}
    (tmp_path / "0.jpg").unlink()  # the user did not like it
    with (tmp_path / MANIFEST).open("a") as file:
        file.write('{"url": "http://cut.off')  # as after a power cut
    site.put_image("/1.jpg", 1)
    second = Crawler(tmp_path, make_fetcher()).crawl(SeedPages([page]))
    assert second.counts() == {"saved": 2, "copy": 0, "refused": 1, "failed": 0} and second.done_before == 2
    assert names(tmp_path) == ["1.jpg", "2.jpg", "3.jpg"]
    assert site.asked["/0.jpg"] == site.asked["/2.jpg"] == 1
    third = Crawler(tmp_path, make_fetcher()).crawl(SeedPages([page]))
    assert not third.records and third.done_before == 5  # what was refused is not asked for again
    assert len(read_manifest(tmp_path)) == 6


def test_links_are_followed_on_their_host_alone(site, make_fetcher, tmp_path):
    for number in range(3):
        site.put_image(f"/{number}.jpg", number)
    site.put("/", "<img src=0.jpg><a href=/one>1</a><a href=/>home</a><a href=http://other.example/>away</a>")
    site.put("/one", "<img src=1.jpg><a href=/two>2</a>")
    site.put("/two", "<img src=2.jpg>")
    Crawler(tmp_path, make_fetcher()).crawl(SeedPages([f"{site.url}/"], depth=1))
    assert names(tmp_path) == ["0.jpg", "1.jpg"] and site.asked["/"] == 1


def test_a_site_read_in_a_way_of_its_own(site, make_fetcher, tmp_path):
    class Api(SeedPages):
        def read(self, page):
            return Found([ImageLink(url, page.url, "CC0") for url in json.loads(page.body)], (page.url,))

    site.put_image("/a.jpg", 1)
    good = site.put("/1", json.dumps([f"{site.url}/a.jpg"]), "application/json")
    report = Crawler(tmp_path, make_fetcher()).crawl(Api([site.put("/0", "{", "application/json"), good]))
    bad, image = report.records
    assert (bad.status, image.status, image.page, image.license) == ("refused", "saved", good, "CC0")
    assert "Expecting" in bad.reason and site.asked["/1"] == 1


@pytest.mark.parametrize("line", ["[]\n", "{\n", '{"status": "saved"}\n'])
def test_a_damaged_manifest_is_named(make_fetcher, tmp_path, line):
    (tmp_path / MANIFEST).write_text(line)
    with pytest.raises(ValueError, match=MANIFEST):
        Crawler(tmp_path, make_fetcher())

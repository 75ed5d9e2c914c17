"""What a person sees and clicks, in headless chromium."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
PAGES = {
    "/": ("Portfolio", "资产组合"),
    "/case": ("Case", "单个案件"),
    "/gallery": ("Inspected pictures", "检测图库"),
    "/picture": ("One picture", "单张图片"),
    "/jobs": ("Jobs", "任务"),
    "/models": ("Models", "模型"),
}
PATIENT_MS = 45_000


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", accept_downloads=True)
    context.set_default_timeout(PATIENT_MS)
    yield context.new_page()
    context.close()


def _title(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words, timeout=PATIENT_MS)


def _settled(page: Page) -> None:
    """Wait until the script of the page has run to its end and its charts are drawn."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=PATIENT_MS)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=PATIENT_MS)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_draws_without_a_fault_wide_and_narrow_and_asks_nobody_outside(
    page: Page, site: Site, path: str
) -> None:
    faults: list[str] = []
    asked: set[str] = set()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
    page.goto(site.url + path)
    _title(page, PAGES[path][0])
    _settled(page)
    assert faults == []
    assert asked <= {"127.0.0.1", ""}
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    page.set_viewport_size({"width": 420, "height": 900})
    # tables and charts follow the window a moment later, each in its own time; then nothing may stick out
    main = "document.querySelector('[data-testid=stMain]')"
    page.wait_for_function(f"{main}.clientWidth <= 420 && {main}.scrollWidth <= {main}.clientWidth")
    expect(page.get_by_text("中文", exact=True)).to_be_visible()


def test_the_switch_turns_all_pages_to_chinese(page: Page, site: Site) -> None:
    page.goto(site.url)
    _title(page, "Portfolio")
    page.get_by_text("中文", exact=True).click()
    for path, (_, chinese) in PAGES.items():
        if path != "/":
            page.get_by_test_id("stSidebarNav").get_by_text(chinese, exact=True).click()
        _title(page, chinese)
    page.wait_for_url("**lang=zh**")  # the address follows the page a moment later


def test_a_link_in_chinese_opens_in_chinese(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/case?case={site.seeded.declined_case}&lang=zh")
    _title(page, "单个案件")
    expect(page.get_by_text("授信额度使用率").first).to_be_visible()


def test_a_filter_goes_into_the_address_and_survives_a_reload(page: Page, site: Site) -> None:
    page.goto(site.url)
    _title(page, "Portfolio")
    page.get_by_test_id("stButtonGroup").get_by_text("decline").click()
    page.wait_for_url("**decision=decline**")
    page.reload()
    _title(page, "Portfolio")
    expect(page.get_by_test_id("stMetric").filter(has_text="approve")).to_contain_text("0.0 %")


def test_the_download_holds_the_filtered_rows(page: Page, site: Site, tmp_path: Path) -> None:
    page.goto(f"{site.url}/?decision=decline")
    _title(page, "Portfolio")
    button = page.get_by_role("button", name="Download these")
    words = button.inner_text()
    with page.expect_download() as download:
        button.click()
    path = tmp_path / "rows.csv"
    download.value.save_as(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    assert f"{len(rows):,} rows" in words
    assert {row["decision"] for row in rows} == {"decline"}


def test_a_ticked_row_leads_to_its_case(page: Page, site: Site) -> None:
    page.goto(site.url)
    _title(page, "Portfolio")
    _settled(page)
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    table.locator(".dvn-scroller").click(position={"x": 16, "y": 53})
    page.get_by_role("link", name="Open case").click()
    _title(page, "Case")
    assert "case" in parse_qs(urlsplit(page.url).query)


def test_a_tile_leads_to_its_picture_and_the_arrow_key_to_the_next(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/gallery?verdict=reject")
    _title(page, "Inspected pictures")
    page.get_by_test_id("stMain").get_by_role("link").first.click()
    _title(page, "One picture")
    expect(page.get_by_role("button", name="Older")).to_be_enabled()
    _settled(page)
    before = parse_qs(urlsplit(page.url).query)["inspection"]
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => !location.search.includes(before)", arg=before[0])


def test_moving_the_threshold_changes_what_the_verdict_would_be(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/picture?inspection={site.seeded.rejected_picture}")
    _title(page, "One picture")
    expect(page.get_by_text("the verdict stays")).to_be_visible()
    slider = page.get_by_role("slider", name="Try another threshold")
    slider.press("End")
    expect(page.get_by_text("this picture would be")).to_be_visible()


def test_the_page_is_dark_where_the_person_asks_for_dark(browser: Browser, site: Site) -> None:
    context = browser.new_context(color_scheme="dark", locale="en-US")
    page = context.new_page()
    page.goto(site.url)
    _title(page, "Portfolio")
    ground = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    context.close()
    assert ground == "rgb(16, 21, 28)"


def test_a_chinese_browser_starts_in_chinese(browser: Browser, site: Site) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(site.url)
    _title(page, "资产组合")
    context.close()


def test_words_of_a_case_run_no_script(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/case?case=%3D1%2B1%3Cb%3E%5Bx%5D(http%3A%2F%2Fevil.test)%3C%2Fb%3E")
    _title(page, "Case")
    expect(page.get_by_role("heading", level=3).first).to_have_text(re.compile(r"=1\+1<b>\[x\]\(http:.*</b>"))
    expect(page.locator("a[href^='http://evil']")).to_have_count(0)

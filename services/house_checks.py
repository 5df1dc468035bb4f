"""What of the configuration concerns nobody outside: seal keys, rulebooks, texts of messages, the font of watermarks. Each looked at by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.rulebook import SHIPPED_REGIONS, RulebookFault, UnknownRegion, load_rulebook
from config.seals import SealKeysFault, load_seals
from config.wordings import WordingsFault
from services.messages import template_faults, wordings
from services.watermarks import FontFault, check_font, usual_font

if TYPE_CHECKING:
    from datetime import date

    from config.findings import Report
    from config.settings import Partners, Settings

SEAL_KEYS = "seal-keys.json"


def check_house(settings: Settings, partners: Partners, report: Report, *, today: date) -> None:
    """Tell `report` about everything that needs no provider."""
    _check_seals(settings, report)
    _check_rulebooks(settings, partners, report, today=today)
    _check_messages(partners, report)
    _check_font(settings, report)


def _check_seals(settings: Settings, report: Report) -> None:
    try:
        seals = load_seals(settings.secrets_dir / SEAL_KEYS)
    except SealKeysFault as fault:
        report.bad(SEAL_KEYS, str(fault), "take the copy from your safe; a new file opens nothing that an old one sealed")
        return
    if not seals.works():
        report.bad(SEAL_KEYS, "what it seals does not open", "take the copy from your safe")
    elif seals.is_rebuilding_indexes:
        report.bad(SEAL_KEYS, "a rebuild of the blind indexes is not through", "go on with: canbao seals rebuild-indexes")
    else:
        report.good(SEAL_KEYS, f"seals and opens ({seals.algorithm}, current {seals.current}, {len(seals.key_ids)} in all)")


def _check_rulebooks(settings: Settings, partners: Partners, report: Report, *, today: date) -> None:
    served = sorted({region for program in partners.miniprograms.values() for region in program.regions})
    try:
        rulebook = load_rulebook(SHIPPED_REGIONS, *([settings.regions_dir] if settings.regions_dir else []))
    except RulebookFault as fault:
        for each in str(fault).splitlines():
            report.bad("CANBAO_REGIONS_DIR", each)
        return
    for code in served:
        try:
            figures = rulebook.unconfirmed(today, [code])
        except UnknownRegion as fault:
            report.bad(
                f"region {code}", str(fault), "add its folder to CANBAO_REGIONS_DIR, or take it out of the mini-programs"
            )
            continue
        # Each sentence begins with the region and says what to do itself.
        for sentence in figures:
            what, _, said = sentence.partition(": ")
            if settings.in_production:
                report.bad(what, said)
            else:
                report.note(
                    what, said.rpartition("; put a confirmed")[0], "the sandbox marks it 示例金额; production refuses it"
                )
        if not figures:
            report.good(f"region {code}", f"every figure in force on {today} is confirmed")


def _check_messages(partners: Partners, report: Report) -> None:
    try:
        wordings()
    except WordingsFault as fault:
        report.bad("config/wordings", str(fault))
        return
    faults = [each for code, program in partners.miniprograms.items() for each in template_faults(code, program)]
    for each in faults:
        what, _, said = each.partition(": ")
        report.bad(what, said)
    if not faults:
        report.good("subscribe_templates", "every template names messages and facts that there are")


def _check_font(settings: Settings, report: Report) -> None:
    what = "CANBAO_WATERMARK_FONT"
    if settings.watermark_font is None:
        found = usual_font()
        if found is None:
            report.note(what, "unset, and this machine has no font with Chinese characters: marks are in Latin letters",
                        "install fonts-noto-cjk")  # fmt: skip
        else:
            report.good(what, f"unset; {found.name} of this machine writes Chinese")
        return
    try:
        check_font(settings.watermark_font)
    except FontFault as fault:
        report.bad(what, str(fault))
    else:
        report.good(what, f"{settings.watermark_font.name} writes Chinese")

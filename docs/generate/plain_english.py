"""Rules of English for the pages, as a plugin of PyMarkdown: `make lint` runs it.

It looks at text, not at code, tables or headings. A sentence has at most 40 words, and some words are not used. A page
of docs/ begins with what it is for, under its title, and ends with what to read next.
"""

import re
from pathlib import Path

from pymarkdown.plugin_manager.plugin_details import PluginDetails
from pymarkdown.plugin_manager.plugin_scan_context import PluginScanContext
from pymarkdown.plugin_manager.rule_plugin import RulePlugin

MOST_WORDS = 40
# Words that add nothing, or that hide who does what; each with what to do instead.
WORDS = {
    r"simply|just|easily|obviously|of course|basically|actually": "leave it out",
    r"utili[sz]e[sd]?|leverag(?:e|es|ed|ing)": "write use",
    r"in order to": "write to",
    r"whilst": "write while",
    r"hereby|thereof|therein|herein|aforementioned": "name the thing",
    r"seamless(?:ly)?|blazing(?:ly)?|powerful|robust|cutting-edge|state-of-the-art|world-class": "give a number",
    r"etc\.?|and so forth": "name all, or say such as",
    r"please": "leave it out",
}
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*(])")
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
_LAST = "## Read next"


class PlainEnglish(RulePlugin):
    """Looks at the sentences of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.starting_new_file()

    def get_details(self) -> PluginDetails:
        """Say what the rule is called."""
        return PluginDetails(
            plugin_id="CE001",
            plugin_name="plain-english",
            plugin_description="Plain English",
            plugin_enabled_by_default=True,
            plugin_version="1.0.0",
        )

    def starting_new_file(self) -> None:
        """Forget the page before."""
        self._paragraph: list[str] = []
        self._headings: list[str] = []
        self._is_code = False
        self._has_purpose = False

    def next_line(self, context: PluginScanContext, line: str) -> None:
        """Take the next line of a page; judge the paragraph that it ends."""
        if line.lstrip().startswith("```"):
            self._is_code = not self._is_code
            self._judge(context)
        elif self._is_code or not line.strip() or line.startswith(("|", "#", "!")):
            self._judge(context)
            if line.startswith("#") and not self._is_code:
                self._headings.append(line.strip())
        else:
            if _ITEM.match(line):
                self._judge(context)
            self._paragraph.append(_ITEM.sub("", line).strip())
            self._has_purpose = self._has_purpose or len(self._headings) == 1

    def completed_file(self, context: PluginScanContext) -> None:
        """Judge the page as a whole."""
        self._judge(context)
        if "docs" not in Path(context.scan_file).parts:
            return
        if not self._has_purpose:
            self._report(context, "the page does not begin with what it is for")
        if self._headings[-1:] != [_LAST]:
            self._report(context, f"the page does not end with a section {_LAST!r}")

    def _judge(self, context: PluginScanContext) -> None:
        """Report what is wrong with the sentences of a paragraph, and begin another one."""
        text, self._paragraph = _LINK.sub(r"\1", _CODE.sub("X", " ".join(self._paragraph))), []
        for sentence in _END.split(text):
            if (count := len(sentence.split())) > MOST_WORDS:
                self._report(context, f"{count} words in a sentence, more than {MOST_WORDS}: {sentence[:50]!r}")
        for words, advice in WORDS.items():
            for found in re.findall(rf"(?i)\b(?:{words})(?![\w-])", text):
                self._report(context, f"{found!r}: {advice}")

    def _report(self, context: PluginScanContext, what: str) -> None:
        """Report a finding at the line that has just been read."""
        self.report_next_line_error(context, 1, extra_error_information=what)

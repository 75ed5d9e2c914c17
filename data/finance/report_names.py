"""Words that made-up companies are named by, and what their industries look like. None of them is a real company."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Industry:
    """What the firms of an industry have in common; margins and costs as shares of revenue."""

    name: str
    zh: str
    products: str
    products_zh: str
    gross_margin: float
    overhead: float
    research: float
    receivable_days: float
    inventory_days: float
    capex: float


INDUSTRIES = (
    Industry(name="machinery", zh="通用设备", products="pumps, valves and drives", products_zh="泵、阀门及传动装置",
             gross_margin=0.29, overhead=0.15, research=0.035, receivable_days=70, inventory_days=95, capex=0.045),
    Industry(name="electronics", zh="电子元器件", products="sensors and power modules", products_zh="传感器和功率模块",
             gross_margin=0.34, overhead=0.14, research=0.085, receivable_days=65, inventory_days=85, capex=0.065),
    Industry(name="retail", zh="商业零售", products="household goods", products_zh="家居日用品",
             gross_margin=0.27, overhead=0.215, research=0.0, receivable_days=9, inventory_days=70, capex=0.03),
    Industry(name="chemicals", zh="精细化工", products="coatings and resins", products_zh="涂料和树脂",
             gross_margin=0.25, overhead=0.12, research=0.025, receivable_days=55, inventory_days=60, capex=0.07),
    Industry(name="software", zh="软件服务", products="planning software", products_zh="企业管理软件",
             gross_margin=0.64, overhead=0.38, research=0.17, receivable_days=75, inventory_days=3, capex=0.03),
    Industry(name="pharmaceuticals", zh="医药制造", products="generic medicines", products_zh="仿制药及原料药",
             gross_margin=0.55, overhead=0.34, research=0.10, receivable_days=72, inventory_days=120, capex=0.055),
    Industry(name="food", zh="食品加工", products="sauces and frozen meals", products_zh="调味品和速冻食品",
             gross_margin=0.31, overhead=0.215, research=0.008, receivable_days=28, inventory_days=55, capex=0.04),
    Industry(name="transport", zh="物流运输", products="regional freight services", products_zh="区域货运服务",
             gross_margin=0.18, overhead=0.085, research=0.0, receivable_days=48, inventory_days=6, capex=0.08),
)  # fmt: skip

_FIRST = ("Alder", "Birchfield", "Calloway", "Dunmore", "Eastlake", "Farrow", "Glenhaven", "Hartwell", "Ironbridge",
          "Juniper", "Kestrel", "Larkspur", "Marlowe", "Northgate", "Oakhurst", "Pinecrest", "Quarry", "Redmill",
          "Stonefield", "Thornbury", "Underhill", "Vantage", "Westbrook", "Yarrow")  # fmt: skip
_SECOND = {"machinery": "Industries", "electronics": "Devices", "retail": "Stores", "chemicals": "Chemical",
           "software": "Systems", "pharmaceuticals": "Labs", "food": "Foods", "transport": "Freight"}  # fmt: skip
_END = ("Inc.", "Corporation", "Holdings, Inc.", "Group Inc.", "Co.")
_PLACES = ("东临", "南屿", "西岭", "北川", "江澜", "海宁岛", "云溪", "青岩", "白沙", "长汀", "金湾", "石桥")
_FIRST_ZH = ("恒", "瑞", "盛", "华", "嘉", "鼎", "宏", "泰", "远", "锦", "博", "诚")
_SECOND_ZH = ("达", "丰", "源", "通", "康", "兴", "信", "辉", "驰", "润", "拓", "成")
_TRADE_ZH = {"machinery": "机械", "electronics": "电子科技", "retail": "商贸", "chemicals": "化工", "software": "软件",
             "pharmaceuticals": "药业", "food": "食品", "transport": "物流"}  # fmt: skip
AUDITORS = ("Marlin & Crowe LLP", "Whitfield Partners LLP", "Drake, Osborne & Co.")
AUDITORS_ZH = (
    "明正会计师事务所（特殊普通合伙）",
    "信衡会计师事务所（特殊普通合伙）",
    "中岳会计师事务所（特殊普通合伙）",
)
CITIES = (
    "Dayton, Ohio",
    "Tulsa, Oklahoma",
    "Boise, Idaho",
    "Peoria, Illinois",
    "Macon, Georgia",
    "Fargo, North Dakota",
)


def company_names(rng: np.random.Generator, chinese_N: NDArray[np.bool_], industry_N: NDArray[np.int64]) -> list[str]:
    """One name a company, no name twice: a number is added where the words run out."""
    seen: dict[str, int] = {}
    names = []
    for chinese, industry in zip(chinese_N.tolist(), industry_N.tolist(), strict=True):
        trade = INDUSTRIES[industry].name
        if chinese:
            words = [_PLACES, _FIRST_ZH, _SECOND_ZH]
            name = "".join(str(group[rng.integers(len(group))]) for group in words) + _TRADE_ZH[trade]
            number = _times(seen, name)
            names.append(f"{name}{_numeral(number)}股份有限公司")
        else:
            first, end = _FIRST[rng.integers(len(_FIRST))], _END[rng.integers(len(_END))]
            number = _times(seen, f"{first} {_SECOND[trade]}")
            names.append(f"{first} {_SECOND[trade]}{f' {_roman(number)}' if number > 1 else ''} {end}")
    return names


def _times(seen: dict[str, int], name: str) -> int:
    seen[name] = seen.get(name, 0) + 1
    return seen[name]


def _roman(number: int) -> str:
    pairs = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    text = ""
    for value, letters in pairs:
        text += letters * (number // value)
        number %= value
    return text


def _numeral(number: int) -> str:
    return "" if number == 1 else "".join("〇一二三四五六七八九"[int(digit)] for digit in str(number))

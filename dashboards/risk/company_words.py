"""What the credit pages say differently of companies: English, Chinese. The keys are those of `words`."""

from typing import Final

COMPANY: Final[dict[str, tuple[str, str]]] = {
    "range_probability": ("Probability of failure or loss", "失败或亏损概率"),
    "probability_default": ("Probability of failure or loss", "失败或亏损概率"),
    "points_note": (
        "Points: higher is safer. Probability: of failure or loss, calibrated.",
        "评分越高越安全；概率为经过校准的失败或亏损概率。",
    ),
    "quality_on": (
        "Measured on {data} ({n} labelled cases, {positives} failures or losses), {time} UTC. Ranges below the "
        "figures are 95 % bootstrap intervals; bars in the calibration are 95 % intervals of each group's share.",
        "基于 {data}（{n} 个有标签案件，{positives} 个失败或亏损），{time} UTC。"
        "数字下方为 95% 自助法区间；校准图误差线为各组比例的 95% 区间。",
    ),
    "roc_x": ("Sound companies stopped (share)", "误拦的健康公司比例"),
    "roc_y": ("Failures or losses found (share)", "识别的失败或亏损比例"),
    "calibration_x": ("Forecast probability of failure or loss", "预测失败或亏损概率"),
    "calibration_y": ("Share that failed or lost", "实际失败或亏损比例"),
    "good": ("sound", "健康"),
    "bad": ("failed or lost", "失败或亏损"),
    "auc_help": (
        "Chance that a failed company ranks above a sound one. 0.5 is chance, 1 is perfect.",
        "失败公司排在健康公司之前的概率。0.5 为随机，1 为完美。",
    ),
    "ks_help": (
        "Largest gap between the cumulative shares of failed and sound companies.",
        "失败与健康公司累计占比的最大差距。",
    ),
    "average_precision_help": (
        "Area under the precision-recall curve; the share of failures is what chance would give.",
        "精确率-召回率曲线下面积；随机水平为失败占比。",
    ),
    "search_case": ("Company id contains", "公司编号包含"),
    "case_id": ("Company", "公司"),
    "waterfall_x": ("Log-odds of failure or loss (right is riskier)", "失败或亏损对数几率（越靠右风险越高）"),
    "other_runs": ("All runs of this company, whatever the year", "该公司各年度的全部评分记录"),
    "one_run": ("This company was scored once.", "该公司仅评分一次。"),
}

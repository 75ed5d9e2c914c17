"""What the credit pages say differently of transactions: English, Chinese. The keys are those of `words`."""

from typing import Final

FRAUD: Final[dict[str, tuple[str, str]]] = {
    "range_probability": ("Probability of fraud", "欺诈概率"),
    "probability_default": ("Probability of fraud", "欺诈概率"),
    "points_note": (
        "Points: higher is safer. Probability: of fraud, calibrated.",
        "评分越高越安全；概率为经过校准的欺诈概率。",
    ),
    "quality_on": (
        "Measured on {data} ({n} labelled transactions, {positives} frauds), {time} UTC. Ranges below the "
        "figures are 95 % bootstrap intervals; bars in the calibration are 95 % intervals of each group's share.",
        "基于 {data}（{n} 笔有标签交易，{positives} 笔欺诈），{time} UTC。"
        "数字下方为 95% 自助法区间；校准图误差线为各组比例的 95% 区间。",
    ),
    "roc_x": ("Good transactions stopped (share)", "误拦的正常交易比例"),
    "roc_y": ("Frauds found (share)", "识别的欺诈比例"),
    "calibration_x": ("Forecast probability of fraud", "预测欺诈概率"),
    "calibration_y": ("Share that was fraud", "实际欺诈比例"),
    "good": ("good", "正常"),
    "bad": ("fraud", "欺诈"),
    "auc_help": (
        "Chance that a fraud ranks above a good transaction. 0.5 is chance, 1 is perfect.",
        "欺诈交易排在正常交易之前的概率。0.5 为随机，1 为完美。",
    ),
    "ks_help": (
        "Largest gap between the cumulative shares of frauds and good transactions.",
        "欺诈与正常交易累计占比的最大差距。",
    ),
    "average_precision_help": (
        "Area under the precision-recall curve; the share of frauds is what chance would give.",
        "精确率-召回率曲线下面积；随机水平为欺诈占比。",
    ),
    "search_case": ("Transaction id contains", "交易编号包含"),
    "case_id": ("Transaction", "交易"),
    "waterfall_x": ("Log-odds of fraud (right is riskier)", "欺诈对数几率（越靠右风险越高）"),
    "other_runs": ("All runs of this transaction", "该交易的全部评分记录"),
    "one_run": ("This transaction was scored once.", "该交易仅评分一次。"),
}

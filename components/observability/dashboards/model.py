"""Features, model, predictions and drift."""

from components.observability.dashboards.making import Board, Graph, Lights, Number

PREDICT = 'path=~"/v1/predict.*"'

BOARD = Board(uid="model", title="Features and model", rows={
    "Champion": [
        Number(title="Champion", query="max(serving_model_info == 1) or vector(0)", red_below=1, note="1 while one serves."),
        Number(title="AUROC", query='model_champion_metric{metric="auroc"}', red_below=0.75),
        Number(title="PR-AUC", query='model_champion_metric{metric="pr_auc"}'),
        Number(title="In service for", unit="s", query="time() - max(serving_model_loaded_timestamp_seconds)"),
        Number(title="Drifted features", unit="percentunit", query="model_drifted_features_share or vector(0)", red_from=0.3),
        Number(title="Retrainings by drift", query="retraining_started_total")],
    "Serving": [
        Graph(title="Requests a second", unit="reqps", queries={
            "{{path}} {{status}}": "sum by (path, status) (rate(serving_request_seconds_count[5m]))"}),
        Graph(title="Latency of predictions", unit="s", queries={
            f"{share}": f"histogram_quantile({share}, sum by (le) (rate(serving_request_seconds_bucket{{{PREDICT}}}[5m])))"
            for share in ("0.5", "0.95", "0.99")}),
        Graph(title="Where the time goes (mean)", unit="s", queries={
            part: f"rate(serving_{name}_seconds_sum[5m]) / rate(serving_{name}_seconds_count[5m])"
            for part, name in (("features", "features_read"), ("model", "model"), ("audit", "audit"))}),
        Lights(title="Needs", legend="{{need}}", query="min by (need) (serving_available)")],
    "Predictions": [
        Graph(title="Predictions a second", unit="ops", queries={
            "{{risk_class}}": "sum by (risk_class) (rate(serving_predictions_total[5m]))"}),
        Graph(title="Probabilities, quantiles of an hour", unit="percentunit", queries={
            f"{share}": f"histogram_quantile({share}, sum by (le) (rate(serving_probability_bucket[1h])))"
            for share in ("0.5", "0.9", "0.99")}),
        Graph(title="Age of features as they were read", unit="s", queries={
            f"{share}": f"histogram_quantile({share}, sum by (le) (rate(serving_features_age_seconds_bucket[1h])))"
            for share in ("0.5", "0.95")})],
    "Drift": [
        Graph(title="Stability index (PSI), the ten largest", queries={"{{feature}}": "topk(10, model_feature_psi)"}),
        Graph(title="Kolmogorov-Smirnov distance, the ten largest", queries={"{{feature}}": "topk(10, model_feature_ks)"}),
        Graph(title="Share of drifted features", unit="percentunit", queries={"share": "model_drifted_features_share"})],
})

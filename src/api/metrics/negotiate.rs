//! Which exposition format a scraper wants (RFC 9110, section 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use super::writer::Format;

/// Protobuf or OpenMetrics where the scraper prefers it to plain text, else the text format.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let sent = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut protobuf, mut open_metrics, mut text) = (0.0, 0.0, 0.0);
    for range in sent.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version, mut is_ours) = (1.0_f32, None, true);
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("q", value)) => quality = value.parse().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value),
                Some(("proto", value)) => is_ours &= value == "io.prometheus.client.MetricFamily",
                Some(("encoding", value)) => is_ours &= value == "delimited",
                _ => {}
            }
        }
        match (media_type.as_str(), version) {
            ("application/vnd.google.protobuf", _) if is_ours => protobuf = quality.max(protobuf),
            ("application/openmetrics-text", None | Some("1.0.0" | "0.0.1")) => {
                open_metrics = quality.max(open_metrics)
            }
            ("text/plain" | "text/*" | "*/*", _) => text = quality.max(text),
            _ => {}
        }
    }
    if protobuf > 0.0 && protobuf >= open_metrics && protobuf >= text {
        Format::Protobuf
    } else if open_metrics > 0.0 && open_metrics >= text {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the choice for the headers scrapers send.
    #[test]
    fn open_metrics_only_where_preferred() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let for_native = format!(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,{prometheus_3}"
        );
        let table = [
            (&*for_native, Format::Protobuf),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text,*/*", Format::Text),
            ("application/vnd.google.protobuf;proto=another.Message", Format::Text),
            (prometheus_3, Format::OpenMetrics),
            ("application/openmetrics-text; version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("text/plain, application/openmetrics-text;q=0.5", Format::Text),
            ("text/html,*/*;q=0.8", Format::Text),
            ("", Format::Text),
        ];
        for (accept, expected) in table {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(format(&headers), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }
}

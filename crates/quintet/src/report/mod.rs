//! Tables and plots: Markdown, JSON, one self-contained report.html.

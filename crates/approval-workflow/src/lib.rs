//! approval-workflow.

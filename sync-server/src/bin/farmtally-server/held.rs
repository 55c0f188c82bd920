//! Commands about held changes.

use clap::Subcommand;
use farmtally_core::units::{ChangeHash, DocumentId};
use farmtally_sync_server::HeldLine;
use farmtally_sync_server::storage::HeldEntry;

use crate::data::Target;
use crate::output::{print, print_table};

#[derive(Subcommand)]
pub(crate) enum Held {
    /// List held changes: document, change, since when (local time), device, author, what it changes, code, reason
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Print a held draft of a wiped phone as JSON, for a person who records it on another phone
    Export {
        #[command(flatten)]
        target: Target,
        /// The id of the document, as `held list` prints it
        document: DocumentId,
    },
    /// Approve held changes of a document: they are logged unchanged, with all that builds on them
    Approve {
        #[command(flatten)]
        target: Target,
        /// The id of the document, as `held list` prints it
        document: DocumentId,
        /// Only this change and what builds on it; without it, all held changes of the document
        #[arg(long)]
        change: Option<ChangeHash>,
    },
    /// Reject held changes of a document, with all that builds on them; their authors get them back
    Reject {
        #[command(flatten)]
        target: Target,
        /// The id of the document, as `held list` prints it
        document: DocumentId,
        /// Only this change and what builds on it; without it, all held changes of the document
        #[arg(long)]
        change: Option<ChangeHash>,
        /// The reason, which the authors read
        #[arg(long, default_value = "")]
        reason: String,
    },
}

impl Held {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let count = |done: &str, entries: &[HeldEntry]| print(&format_args!("{done} {} change(s)", entries.len()));
        match self {
            Self::List { target } => {
                let (server, organisation) = target.open()?;
                let mut rows = Vec::new();
                for lane in server.held_lanes(organisation)? {
                    for HeldLine { entry, about, author, device, since } in lane.entries {
                        let (document, change) = (lane.document_id.to_string(), entry.entry.change.to_string());
                        let (code, reason) = (entry.code.to_string(), entry.reason);
                        rows.push([document, change, since, device, author, about, code, reason]);
                    }
                }
                let since = format!("SINCE ({})", server.zone(organisation)?);
                print_table(["DOCUMENT", "CHANGE", &since, "DEVICE", "AUTHOR", "WHAT", "CODE", "REASON"], &rows)
            }
            Self::Export { target, document } => {
                let (server, organisation) = target.open()?;
                print(&format_args!("{:#}", server.held_draft(organisation, document)?))
            }
            Self::Approve { target, document, change } => {
                let (server, organisation) = target.open()?;
                count("approved", &server.approve(organisation, document, change)?)
            }
            Self::Reject { target, document, change, reason } => {
                let (server, organisation) = target.open()?;
                count("rejected", &server.reject(organisation, document, change, &reason)?)
            }
        }
    }
}

//! Certificates of farmers and of their land.

use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::{BusinessDate, DocumentId, FarmerId, SchemeCode};

/// Whom or what a certificate or quota is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum LandSubject {
    /// A farmer, with all that the farmer brings.
    #[n(0)]
    Farmer {
        /// Id of the farmer.
        #[n(0)]
        farmer_id: FarmerId,
    },
    /// A plot of a farmer.
    #[n(1)]
    Plot {
        /// Document of the plot.
        #[n(0)]
        plot_id: DocumentId,
    },
}

impl LandSubject {
    /// Returns the document of the farmer or plot.
    pub fn document_id(self) -> DocumentId {
        match self {
            Self::Farmer { farmer_id } => farmer_id.into(),
            Self::Plot { plot_id } => plot_id,
        }
    }
}

/// A certificate by a scheme, such as one of organic farming. Business data: it names no person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Certificate {
    /// Whom or what it certifies.
    #[n(0)]
    pub subject: LandSubject,
    /// Code of the scheme. A later certificate of the scheme for the same subject replaces this one.
    #[n(1)]
    pub scheme: SchemeCode,
    /// Number of the certificate.
    #[n(2)]
    pub number: String,
    /// First day on which it is valid.
    #[n(3)]
    pub valid_from: BusinessDate,
    /// Last day on which it is valid.
    #[n(4)]
    pub valid_until: BusinessDate,
}

impl Certificate {
    /// Returns whether it is valid on a day.
    pub fn covers(&self, date: BusinessDate) -> bool {
        (self.valid_from..=self.valid_until).contains(&date)
    }
}

impl DecisionKind for Certificate {
    const NUMBER: u8 = 18;
    const NAME: &'static str = "certificate";
    const AUDIENCE: Audience = Audience::Scope;
    const STORED: StoredAs<Self> =
        StoredAs::Latest(|it| format!("{}/{}", it.subject.document_id(), it.scheme.as_str()));

    fn document_ids(&self) -> Vec<DocumentId> {
        vec![self.subject.document_id()]
    }
}

//! What the manifest of a load says.

use super::Desk;
use crate::Error;
use crate::client::load::{hash_of, manifest_of};
use crate::paper::{CopyNumber, Manifest, ManifestLine, Proof};
use crate::records::load::CloseRequest;
use crate::records::{Delivery, Load};
use crate::store::records::get;
use crate::store::rows;
use crate::store::seam;
use crate::units::{Grams, Timestamp};

impl Desk<'_> {
    pub(super) fn manifest(&self, load: &Load, now: Timestamp) -> Result<Manifest, Error> {
        let request = load.close_requests.last();
        let lines = match request {
            Some(request) => request.manifest.clone(),
            None => manifest_of(self.db, load.load_id)?,
        };
        let hash = hash_of(&lines);
        let mut printed = Vec::with_capacity(lines.len());
        for line in &lines {
            // A delivery that was erased from this phone since is named by its id.
            let delivery = get::<Delivery>(&mut seam(self.db), line.delivery_id)?.map(|found| found.record);
            let farmer = delivery.as_ref().map(|it| rows::farmer_row(&mut seam(self.db), it.farmer_id)).transpose()?;
            printed.push(ManifestLine {
                receipt: delivery.map_or_else(|| line.delivery_id.to_string(), |it| it.receipt_number().to_string()),
                farmer: farmer.flatten().map_or_else(String::new, |row| row.code),
                is_part: line.is_part,
                bag_count: line.bags,
                gross: line.gross,
            });
        }
        let closed: Option<&CloseRequest> = request;
        let clerk = closed.map_or(self.author.grant.user_id, |request| request.stamp.user_id);
        Ok(Manifest {
            heading: self.heading(&load.header.centre, CopyNumber::ORIGINAL),
            load: load.header.number(),
            version: u32::try_from(load.close_requests.len()).unwrap_or(u32::MAX),
            closed: self.instant(closed.map_or(now, |request| request.stamp.written_at())),
            lorry: load.lorry.to_string(),
            driver: load.driver.clone().unwrap_or_default(),
            destination: load.destination.clone().unwrap_or_default(),
            seals: load.seals().map(str::to_owned).collect(),
            clerk: self.author.reference.user_name(clerk),
            bag_count: lines.iter().fold(0, |sum, line| sum.saturating_add(line.bags)),
            gross: lines.iter().map(|line| line.gross).sum::<Grams>(),
            lines: printed,
            proof: Some(Proof { digest: hash.chars().take(16).collect(), code: format!("FTM1-{hash}") }),
        })
    }
}

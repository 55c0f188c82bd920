//! Recovery of what a farmer owes (formula 11 of `docs/arithmetic.md`).

use super::rounding::{WHOLE, divide};
use super::value::AmountTooLarge;
use crate::decisions::{RecoveryPolicy, Rounding};
use crate::units::{BusinessDate, DocumentId, Money};

/// What a claim against a farmer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimKind {
    /// A shortfall that an earlier settlement carried forward.
    Shortfall,
    /// A charge by law.
    StatutoryCharge,
    /// An order to pay a third party.
    DeductionOrder {
        /// Its place in the published order; the lowest is served first.
        priority: u32,
    },
    /// Interest that is due on an advance.
    AdvanceInterest,
    /// What is left of an advance.
    AdvancePrincipal,
}

/// A claim against a farmer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Record that it follows from, such as the advance.
    pub document_id: DocumentId,
    /// What it is for.
    pub kind: ClaimKind,
    /// Its date; of an advance the day on which it was paid out. The oldest is served first.
    pub dated: BusinessDate,
    /// Amount that is due, not negative.
    pub amount: Money,
}

/// A claim after recovery: a printed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveredClaim {
    /// The claim.
    pub claim: Claim,
    /// What was recovered of it.
    pub recovered: Money,
    /// What is carried forward.
    pub carried: Money,
}

/// Recovery from one farmer at a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Most that may be recovered.
    pub limit: Money,
    /// Sum of what was recovered; never above the limit.
    pub recovered: Money,
    /// The claims in the order in which they were served.
    pub claims: Vec<RecoveredClaim>,
}

/// Recovers claims from what is available to a farmer: shortfalls, then charges by law, then deduction orders and own advances in their published
/// order. Of the advances, all interest comes before all principal, the oldest first, and of one day the lowest id first.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn recover(
    available: Money,
    claims: &[Claim],
    policy: RecoveryPolicy,
    rounding: Rounding,
) -> Result<Recovery, AmountTooLarge> {
    let most = i128::from(available.minor()) * i128::from(policy.share.hundredths());
    let limit = Money::from_wide(divide(most, WHOLE, rounding).max(0)).ok_or(AmountTooLarge)?;
    let mut claims = claims.to_vec();
    claims.sort_by_key(|claim| (place(claim.kind, policy), claim.dated, claim.document_id));

    let mut left = limit;
    let mut served = Vec::with_capacity(claims.len());
    for claim in claims {
        let recovered = claim.amount.max(Money::ZERO).min(left);
        left = left.checked_sub(recovered).ok_or(AmountTooLarge)?;
        let carried = claim.amount.checked_sub(recovered).ok_or(AmountTooLarge)?;
        served.push(RecoveredClaim { claim, recovered, carried });
    }
    let recovered = limit.checked_sub(left).ok_or(AmountTooLarge)?;
    Ok(Recovery { limit, recovered, claims: served })
}

/// Returns the place of a kind in the order of recovery.
fn place(kind: ClaimKind, policy: RecoveryPolicy) -> (u8, u32, u8) {
    match kind {
        ClaimKind::Shortfall => (0, 0, 0),
        ClaimKind::StatutoryCharge => (1, 0, 0),
        ClaimKind::DeductionOrder { priority } => (2, priority, 0),
        ClaimKind::AdvanceInterest => (2, policy.advances_priority, 1),
        ClaimKind::AdvancePrincipal => (2, policy.advances_priority, 2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{money, percent};
    use super::*;

    fn claim(id: u8, kind: ClaimKind, dated: i32, minor: i64) -> Claim {
        Claim { document_id: DocumentId::from([id; 16]), kind, dated: BusinessDate(dated), amount: money(minor) }
    }

    fn recovered(available: i64, claims: &[Claim], policy: RecoveryPolicy) -> Vec<(u8, i64, i64)> {
        let recovery = recover(money(available), claims, policy, Rounding::default()).expect("amounts");
        let line = |it: &RecoveredClaim| (it.claim.document_id.as_bytes()[0], it.recovered.minor(), it.carried.minor());
        recovery.claims.iter().map(line).collect()
    }

    #[test]
    fn claims_are_served_in_their_published_order_until_the_limit() {
        let claims = [
            claim(1, ClaimKind::AdvancePrincipal, 10, 1_000),
            claim(2, ClaimKind::AdvancePrincipal, 5, 1_000),
            claim(1, ClaimKind::AdvanceInterest, 10, 30),
            claim(2, ClaimKind::AdvanceInterest, 5, 40),
            claim(3, ClaimKind::DeductionOrder { priority: 3 }, 0, 500),
            claim(4, ClaimKind::DeductionOrder { priority: 1 }, 90, 200),
            claim(5, ClaimKind::StatutoryCharge, 99, 70),
            claim(6, ClaimKind::Shortfall, 99, 60),
        ];
        let policy = RecoveryPolicy { share: percent(5_000), advances_priority: 2 };
        let expected =
            [(6, 60, 0), (5, 70, 0), (4, 200, 0), (2, 40, 0), (1, 30, 0), (2, 1_000, 0), (1, 100, 900), (3, 0, 500)];
        assert_eq!(recovered(3_000, &claims, policy), expected);
    }

    #[test]
    fn claims_of_one_day_are_served_by_their_ids() {
        let claims = [3, 1, 2].map(|id| claim(id, ClaimKind::AdvancePrincipal, 5, 100));
        assert_eq!(recovered(150, &claims, RecoveryPolicy::default()), [(1, 100, 0), (2, 50, 50), (3, 0, 100)]);
    }

    #[test]
    fn nothing_is_recovered_if_nothing_is_available() {
        let claims = [claim(1, ClaimKind::Shortfall, 5, 100)];
        for available in [-500, 0] {
            assert_eq!(recovered(available, &claims, RecoveryPolicy::default()), [(1, 0, 100)]);
        }
        let nothing = RecoveryPolicy { share: percent(0), ..RecoveryPolicy::default() };
        assert_eq!(recovered(500, &claims, nothing), [(1, 0, 100)]);
    }

    proptest! {
        #[test]
        fn what_is_recovered_and_carried_is_what_was_due(
            available in -1_000_000..1_000_000_i64, share in 0..=10_000_i64,
            dues in prop::collection::vec((0..5_u8, 0..20_i32, 0..300_000_i64), 0..10),
        ) {
            let kinds = [
                ClaimKind::Shortfall, ClaimKind::StatutoryCharge, ClaimKind::DeductionOrder { priority: 4 },
                ClaimKind::AdvanceInterest, ClaimKind::AdvancePrincipal,
            ];
            let claims: Vec<_> =
                (0..).zip(dues).map(|(id, (kind, dated, due))| claim(id, kinds[usize::from(kind)], dated, due)).collect();
            let policy = RecoveryPolicy { share: percent(share), advances_priority: 0 };
            let recovery = recover(money(available), &claims, policy, Rounding::default()).expect("amounts");
            let due: i64 = claims.iter().map(|it| it.amount.minor()).sum();
            prop_assert_eq!(recovery.recovered.minor(), due.min(recovery.limit.minor()));
            prop_assert_eq!(recovery.claims.iter().map(|it| it.recovered.minor()).sum::<i64>(), recovery.recovered.minor());
            for it in &recovery.claims {
                prop_assert_eq!(it.recovered.minor() + it.carried.minor(), it.claim.amount.minor());
            }
            let mut open = recovery.claims.iter().skip_while(|it| it.carried == Money::ZERO).skip(1);
            prop_assert!(open.all(|it| it.recovered == Money::ZERO), "none is served before an earlier one is whole");
        }
    }
}

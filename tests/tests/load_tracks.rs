//! The track of a load: adding points on the way, thinning, gaps, and what both people of a load see of it.

use farmtally_core::client::{LoadEdit, TrackView};
use farmtally_core::environment::Clock;
use farmtally_core::limits::{MAX_ROUTE, MAX_TRACK_BYTES, MAX_TRACK_PIECES, MAX_TRACK_POINTS};
use farmtally_core::records::load::TrackPoint;
use farmtally_core::rules::track::{GapKind, MAX_TRACK_ERROR_CM, RoutePoint, distance_from_leg_cm};
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::units::{LoadId, Timestamp};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person, fingerprint, track_point};

/// A load that left with Asha's bags; Manju drives it.
fn on_the_way(seed: u64) -> (Market, Person, Person, LoadId) {
    let mut market = Market::open(seed);
    let (asha, manju) = (market.hires("Asha", "field_manager"), market.hires("Manju", "driver"));
    let load = asha.opens("KA07A1111").load_id;
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, Some(load), &[20_000]);
    asha.closes(load).expect("closing");
    asha.syncs_wholly();
    manju.syncs_wholly();
    let shown = manju.client.load(load).expect("a load");
    let depart = LoadEdit::Depart { odometer_km: None };
    manju.client.change_load(shown.basis, &depart, &[Check::LoadNotSealed]).expect("departed");
    (market, asha, manju, load)
}

/// A winding road to the north-east at about 40 km/h, with a point each `every` seconds.
fn drive(from: Timestamp, seconds: i64, every: i64) -> Vec<TrackPoint> {
    let point = |second: i64| {
        // 11 m a second, 8 of them to the north, and bends of 300 m each four minutes.
        let bend = |at: i64| (at % 240 - 120).abs() * 250 - 15_000;
        let (north, east) = (second * 720, second * 680 + bend(second));
        let [north, east] = [north, east].map(|it| i32::try_from(it).expect("near"));
        track_point(Timestamp(from.0 + second * 1_000), 130_000_000 + north, 780_000_000 + east)
    };
    (0..seconds).step_by(usize::try_from(every).expect("some")).map(point).collect()
}

fn refused(person: &Person, load: LoadId, points: &[TrackPoint]) -> Error {
    let before = person.client.track_points(load).expect("a track");
    let error = person.client.add_track(load, points).map(drop).expect_err("refused");
    assert_eq!(person.client.track_points(load).expect("a track"), before, "nothing was written");
    error
}

#[test]
fn a_track_is_thinned_within_its_error_and_the_same_for_both() {
    let (market, asha, manju, load) = on_the_way(930);
    let start = manju.clock.now();
    manju.clock.pass(3_600);
    let driven = drive(start, 3_600, 10);
    let shown = manju.client.add_track(load, &driven).expect("added");
    // Eleven metres a second, and the bends.
    assert!((37_000..42_000).contains(&shown.summary.distance_m), "{shown:?}");
    assert_eq!((shown.summary.gaps.len(), shown.summary.off_route_m), (0, None));
    let last = driven.last().expect("a point").rounded();
    assert_eq!((shown.summary.last, shown.last_age_ms), (Some(last), Some(10_000)));
    let kept = manju.client.track_points(load).expect("a track").remove(0).points;
    assert!(kept.len() < driven.len() / 3, "{} of {} points", kept.len(), driven.len());
    for point in &driven {
        let distances =
            kept.windows(2).map(|leg| distance_from_leg_cm(point.into(), (&leg[0]).into(), (&leg[1]).into()));
        let distance = distances.min().expect("a leg");
        assert!(distance <= MAX_TRACK_ERROR_CM + 20, "{distance} cm off at {:?}", point.at);
    }
    assert!(kept.windows(2).all(|leg| leg[1].at.0 - leg[0].at.0 <= 310_000), "a point in five minutes");
    for person in [&manju, &asha] {
        person.syncs_wholly();
    }
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    let seen = asha.client.track(load, &[]).expect("a track");
    assert_eq!(seen.summary, shown.summary);
}

#[test]
fn an_hour_of_a_track_takes_less_than_a_kilobyte() {
    let (market, _asha, manju, load) = on_the_way(931);
    manju.syncs_wholly();
    let saved = || -> usize {
        let db = rusqlite::Connection::open(manju.database()).expect("it opens");
        let sql = "SELECT length(saved) FROM documents WHERE document_id = ?1";
        db.query_row(sql, [load.as_bytes()], |row| row.get(0)).expect("a document")
    };
    let (before, start) = (saved(), market.clock.now());
    market.clock.pass(3_600);
    let driven = drive(start, 3_600, 10);
    for quarter in driven.chunks(90) {
        manju.client.add_track(load, quarter).expect("added");
    }
    let hour = saved() - before;
    assert!((300..1_000).contains(&hour), "{hour} bytes");
    // A document of 64 KiB has room for all that a phone adds: the pieces with their stamps, and the points.
    let pieces = manju.client.track_points(load).expect("a track").remove(0).points.len();
    assert!(pieces > 0 && MAX_TRACK_PIECES < 500 && MAX_TRACK_BYTES < 64 * 1024 / 2 + 1);
}

#[test]
fn points_far_apart_and_faster_than_a_lorry_are_kept_and_shown_as_gaps() {
    let (_market, _asha, manju, load) = on_the_way(932);
    let start = manju.clock.now();
    manju.clock.pass(3_600);
    let at =
        |second: i64, north: i32| track_point(Timestamp(start.0 + second * 1_000), 130_000_000 + north, 780_000_000);
    // Standing; silent for eleven minutes; one wrong position; a made up one.
    let made_up = TrackPoint { is_mock: true, ..at(1_020, 60_000) };
    let points = [at(0, 0), at(600, 0), at(1_261, 50_000), at(1_271, 5_000_000), at(1_281, 50_000), made_up];
    let shown = manju.client.add_track(load, &points).expect("added").summary;
    let gaps: Vec<_> = shown.gaps.iter().map(|gap| ((gap.from.0 - start.0) / 1_000, gap.kind)).collect();
    assert_eq!(gaps, [(1_261, GapKind::TooFast), (1_271, GapKind::TooFast)]);
    let kept = manju.client.track_points(load).expect("a track").remove(0).points;
    assert_eq!(kept.len(), 6, "{kept:?}");
    assert!(kept.iter().any(|point| point.is_mock));
    // Without the made up point nothing was heard between 600 s and 1,261 s.
    let later = [at(2_000, 50_000), at(2_601, 50_000), at(3_200, 50_000)];
    let shown = manju.client.add_track(load, &later).expect("added").summary;
    let silent: Vec<_> = shown.gaps.iter().filter(|gap| gap.kind == GapKind::Silent).collect();
    assert_eq!(silent.len(), 2, "{silent:?}");
    assert_eq!(((silent[1].from.0 - start.0) / 1_000, silent[1].distance_m), (2_000, 0));
}

#[test]
fn the_farthest_distance_off_the_route_leaves_out_a_wrong_position() {
    let (_market, _asha, manju, load) = on_the_way(933);
    let start = manju.clock.now();
    manju.clock.pass(3_600);
    let at = |second: i64, north: i32, east: i32| {
        track_point(Timestamp(start.0 + second * 1_000), 130_000_000 + north, 780_000_000 + east)
    };
    // 1,000 units of 10⁻⁷ degrees are 11 m; a degree of longitude is shorter at 13 degrees north.
    let points =
        [at(0, 0, 0), at(300, 200_000, 90_000), at(310, 9_000_000, 0), at(320, 202_000, 90_000), at(600, 400_000, 0)];
    manju.client.add_track(load, &points).expect("added");
    let route =
        [0, 200_000, 400_000].map(|north| RoutePoint { latitude_e7: 130_000_000 + north, longitude_e7: 780_000_000 });
    let off = |route: &[RoutePoint]| -> Option<u64> {
        let view: TrackView = manju.client.track(load, route).expect("a track");
        view.summary.off_route_m
    };
    assert!((970..980).contains(&off(&route).expect("a distance")), "{:?}", off(&route));
    assert_eq!((off(&route[..1]), off(&[])), (None, None), "no route is known");
    let off_the_globe = RoutePoint { latitude_e7: 900_000_001, longitude_e7: 0 };
    let error = manju.client.track(load, &[off_the_globe]).expect_err("refused");
    assert!(matches!(error, Error::Invalid { field: "route", .. }), "{error:?}");
    assert!(manju.client.track(load, &[route[0]; MAX_ROUTE]).is_ok());
    let error = manju.client.track(load, &[route[0]; MAX_ROUTE + 1]).expect_err("refused");
    assert!(matches!(error, Error::TooLarge { field: "route", .. }), "{error:?}");
}

#[test]
fn a_repeated_call_adds_nothing_and_wrong_points_are_refused() {
    let (_market, _asha, manju, load) = on_the_way(934);
    let now = manju.clock.now();
    let point = track_point(now, 130_000_000, 780_000_000);
    let first = manju.client.add_track(load, &[point]).expect("added");
    let basis = manju.client.load(load).expect("a load").basis;
    assert_eq!(manju.client.add_track(load, &[point]).expect("known"), first);
    assert_eq!(manju.client.load(load).expect("a load").basis, basis, "nothing was written");

    let day = 86_400_000;
    let at = |ms: i64| TrackPoint { at: Timestamp(now.0 + ms), ..point };
    assert!(manju.client.add_track(load, &[at(-30 * day), at(day)]).is_ok());
    let off = TrackPoint { latitude_e7: 900_000_001, ..at(day + 1) };
    for wrong in [vec![], vec![off], vec![at(day + 1_000)], vec![at(-30 * day - 1)]] {
        let error = refused(&manju, load, &wrong);
        assert!(matches!(error, Error::Invalid { field: "points", .. }), "{error:?}");
    }
    let many = vec![point; MAX_TRACK_POINTS + 1];
    assert!(manju.client.add_track(load, &many[1..]).is_ok());
    let error = refused(&manju, load, &many);
    assert!(matches!(error, Error::TooLarge { field: "points", .. }), "{error:?}");
}

#[test]
fn only_who_drives_adds_to_the_track_and_only_on_the_way() {
    let (mut market, asha, manju, load) = on_the_way(935);
    manju.syncs_wholly();
    let sita = market.hires("Sita", "clerk");
    for person in [&asha, &sita] {
        person.syncs_wholly();
    }
    let point = |second: i64| track_point(Timestamp(manju.clock.now().0 + second * 1_000), 130_000_000, 780_000_000);
    assert_eq!(refused(&sita, load, &[point(0)]).code(), ErrorCode::NotAllowed);
    let is_offered = |person: &Person| person.client.load(load).expect("a load").actions.contains(&ActionCode::Track);
    assert!(!is_offered(&sita) && is_offered(&manju) && is_offered(&asha));
    asha.client.add_track(load, &[point(0)]).expect("a field manager drives too");
    let waiting = asha.opens("KA07A2222").load_id;
    assert_eq!(refused(&asha, waiting, &[point(1)]).code(), ErrorCode::NotAllowed);
    manju.client.add_track(load, &[point(0), point(60)]).expect("added");
    let seen = manju.client.load(load).expect("a load");
    let arrive = LoadEdit::Arrive { odometer_km: None };
    manju.client.change_load(seen.basis, &arrive, &[]).expect("arrived");
    assert_eq!(refused(&manju, load, &[point(120)]).code(), ErrorCode::NotAllowed);
    assert!(!is_offered(&manju));
    // What Asha added is merged, whatever state the load has by then.
    for person in [&manju, &asha, &manju, &asha] {
        person.syncs_wholly();
    }
    let devices = manju.client.track_points(load).expect("a track");
    assert_eq!(devices.iter().map(|it| it.points.len()).sum::<usize>(), 3);
    assert_eq!(devices.len(), 2, "each device has a track of its own");
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_track_ends_at_its_limits_of_pieces_and_bytes() {
    let (_market, _asha, manju, load) = on_the_way(936);
    let start = manju.clock.now();
    let point =
        |second: i64, north: i32| track_point(Timestamp(start.0 + second * 1_000), 130_000_000 + north, 780_000_000);
    for piece in 0..MAX_TRACK_PIECES {
        manju.client.add_track(load, &[point(i64::try_from(piece).expect("few"), 0)]).expect("added");
    }
    let error = refused(&manju, load, &[point(10_000, 0)]);
    assert!(matches!(error, Error::TooLarge { field: "points", .. }), "{error:?}");

    let (_market, _asha, manju, load) = on_the_way(937);
    // Each point is too far from the one before for a lorry, so all are kept, with eight bytes each.
    let far: Vec<TrackPoint> = (0..i64::try_from(MAX_TRACK_POINTS).expect("few"))
        .map(|second| {
            let off = if second % 2 == 0 { 0 } else { 10_000_000 };
            TrackPoint { longitude_e7: 780_000_000 + off, ..point(second, off) }
        })
        .collect();
    let error = refused(&manju, load, &far);
    assert!(matches!(error, Error::TooLarge { field: "points", .. }), "{}", error.code());
    let most = MAX_TRACK_BYTES / 8;
    let shown = manju.client.add_track(load, &far[..most - 10]).expect("within the limit").summary;
    assert_eq!(shown.points as usize, most - 10);
    assert_eq!(refused(&manju, load, &far[most - 10..most + 10]).code(), ErrorCode::TooLarge);
}

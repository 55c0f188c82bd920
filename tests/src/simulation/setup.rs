//! Start state of every schedule, made once and copied: a server, enrolled phones, and some records that all have synced.

use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use farmtally_core::permission::Role;
use farmtally_core::units::{LoadId, OrganisationId};
use farmtally_sync_server::{Error, NamedUser, ReferenceFile, Server};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::action;
use super::clock::{SERVER, START, SkewedClock, TrueTime};
use super::oracle::Fact;
use super::postgres::{Database, Postgres};
use super::server::{FaultyTransport, ServerImage, SimServer, open_server};
use super::world::{SharedTrace, World};
use crate::disk::{Image, Machine};
use crate::market::{ADDRESS, REFERENCE, folder};

/// Role and centre of each person. Schedules use some of them. Only dispatchers change what others recorded.
pub(super) const PEOPLE: [(&str, &str); 6] = [
    ("dispatcher", "KOLAR"),
    ("dispatcher", "KOLAR"),
    ("dispatcher", "KOLAR"),
    ("field_manager", "KOLAR"),
    ("clerk", "KOLAR"),
    ("dispatcher", "MALUR"),
];

/// Start state, as files and facts.
pub(super) struct StartState {
    pub(super) organisation: OrganisationId,
    pub(super) server: ServerImage,
    /// Files outside of the simulated disk, by path: keys, journal.
    pub(super) beside: Vec<(PathBuf, Vec<u8>)>,
    pub(super) phones: Vec<Image>,
    pub(super) facts: Vec<Fact>,
    pub(super) loads: Vec<(LoadId, String)>,
    pub(super) next_number: i64,
}

/// Value of `Fact::phone` for facts of the start state, which no phone of a schedule promised.
const NOBODY: usize = usize::MAX;

impl StartState {
    /// Returns the start state of a server on files or on PostgreSQL, made at the first call.
    pub(super) fn of(postgres: Option<&Postgres>) -> &Self {
        static START_STATE: OnceLock<StartState> = OnceLock::new();
        match postgres {
            None => START_STATE.get_or_init(|| Self::prepare(None)),
            Some(postgres) => postgres.start_state.get_or_init(|| Self::prepare(Some(postgres.create_database()))),
        }
    }

    fn prepare(database: Option<Database>) -> Self {
        let root = folder();
        let time: TrueTime = Arc::new(AtomicI64::new(START));
        let clock = SkewedClock::new(&time, 0, SERVER);
        let server_folder = root.path().join("server");
        let machine = Machine::mount(&server_folder);
        let server = open_server(&server_folder, database.as_ref(), clock.environment(1)).expect("a server");
        // A season and rules for any date that a wrong clock may show.
        let ever =
            REFERENCE.replace("2019-01-01", "1900-01-01").replace("2019-12-31", "2199-12-31").replace("2016", "1900");
        let file = ReferenceFile::parse(&ever).expect("reference data");
        let organisation = server
            .create_organisation("Kolar growers", &"IN".parse().expect("a country"), 330, None, &file)
            .expect("an organisation");
        let codes: Vec<String> =
            PEOPLE.iter().map(|(role, centre)| code(&server, organisation, role, centre).expect("a code")).collect();
        drop(server);
        let server = SimServer::open(server_folder.clone(), machine, clock, organisation, database, 2);
        let mut world = World::around(root, time, server, StdRng::seed_from_u64(3), SharedTrace::default());
        for ((role, centre), code) in PEOPLE.iter().zip(&codes) {
            let who = world.adds_phone(role, centre, &Image::default());
            world.phones[who].starts().expect("a phone");
            let wire = FaultyTransport::new(&world.server, &world.phones[who].machine, Vec::new());
            world.phones[who].client().enrol(&wire, ADDRESS, code, "test phone").expect("enrolled");
        }
        for who in [0, 3, 5] {
            for act in [action::registers, action::opens, action::weighs, action::syncs] {
                act(&mut world, who);
            }
        }
        world.quiesce();
        for fact in &mut world.facts {
            (fact.phone, fact.is_logged) = (NOBODY, true);
        }
        let phones = world.phones.iter_mut().map(|phone| {
            phone.ends();
            phone.machine.image()
        });
        let phones = phones.collect();
        world.server_reader = None;
        world.server.restarts();
        let mut beside = Vec::new();
        for folder in std::fs::read_dir(&server_folder).expect("a folder") {
            let folder = folder.expect("a folder").path();
            for file in std::fs::read_dir(&folder).expect("files") {
                let path = file.expect("a file").path();
                let name = path.strip_prefix(&server_folder).expect("a file of the server").to_owned();
                beside.push((name, std::fs::read(path).expect("a file")));
            }
        }
        Self {
            organisation,
            server: world.server.copies(),
            beside,
            phones,
            facts: std::mem::take(&mut world.facts),
            loads: std::mem::take(&mut world.loads),
            next_number: world.next_number,
        }
    }
}

/// Creates an enrolment code for the user who has the role's name.
pub fn code(server: &Server, organisation: OrganisationId, role: &str, centre: &str) -> Result<String, Error> {
    let (role, centres) = (role.parse::<Role>().expect("a role"), [centre.parse().expect("a code")]);
    let (name, known) = (role.to_string(), server.users(organisation)?);
    let user: NamedUser<'_> =
        known.iter().find(|user| user.name == name).map_or(name.as_str().into(), |user| user.user_id.into());
    server.create_code(organisation, user, role, &centres)
}

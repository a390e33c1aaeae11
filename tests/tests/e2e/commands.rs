//! The command line: `check`, `customers import`, `calls`.

use std::process::Output;

use tests::repository;
use tests::site::Site;

/// Exit code, standard output, standard error.
fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_passes_every_example_of_the_repository() {
    let mut examples = 0;
    for entry in std::fs::read_dir(repository().join("config")).unwrap().flatten() {
        if entry.path().join("usher.toml").is_file() {
            examples += 1;
            let mut command = std::process::Command::new(tests::usher::binary());
            let output = command.arg("check").arg("--config").arg(entry.path()).output().unwrap();
            let (code, out, err) = parts(&output);
            assert_eq!(
                code,
                Some(0),
                "{} (prompts are made by `make prompts`)\n{out}{err}",
                entry.path().display()
            );
            assert!(out.contains("no mistakes found"), "{out}");
        }
    }
    assert!(examples >= 1);
}

#[test]
fn check_says_what_a_good_folder_has() {
    let site = Site::new("check-good");
    let out = site.ask(&["check"]);
    for word in ["10000, 10001", "diamond, gold, silver, ordinary", "vip, general", "carrier", "12"] {
        assert!(out.contains(word), "{word} is not in\n{out}");
    }
}

#[test]
fn check_names_every_mistake_with_file_and_line_and_starts_nothing() {
    let site = Site::new("check-bad");
    let edit = |file: &str, from: &str, to: &str| {
        let path = site.config().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}\n{text}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    edit("usher.toml", "ports = [20000, 20399]", "ports = [20399, 20000]");
    edit("usher.toml", "coalesce_us", "coalesce_sm");
    edit("trunks.toml", "127.", "427.");
    edit("agents.toml", "vip = 9", "vpi = 9");
    edit("queues.toml", "general", "genral");
    edit("tiers.toml", "floor = 0.90", "floor = 0.99");
    edit("flows/people.toml", "queue = \"vip\"", "queue = \"vipp\"");
    edit("flows/gold.toml", "greeting-gold", "greeting-glod");
    std::fs::write(site.config().join("prompts/en/goodbye.wav"), b"RIFF....").unwrap();
    for arguments in [["check"], ["serve"]] {
        let (code, out, err) = parts(&site.run(&arguments));
        assert_eq!(code, Some(64), "{out}{err}");
        assert!(!out.contains("listening") && !out.contains("ready"), "{out}");
        for (file, word) in [
            ("usher.toml:", "ports"),
            ("usher.toml:", "coalesce_sm"),
            ("trunks.toml:", "427."),
            ("agents.toml:", "vpi"),
            ("queues.toml", "genral"),
            ("tiers.toml:", "0.99"),
            ("people.toml:", "vipp"),
            ("gold.toml:", "greeting-glod"),
            ("goodbye.wav", "WAV"),
        ] {
            let named = err.lines().any(|line| line.contains(file) && line.contains(word));
            assert!(named, "{file} … {word} is not in\n{err}");
        }
    }
    assert!(!site.folder().join("var").exists(), "nothing was started");

    // A verb and a key that cannot be read hide nothing of what is wrong elsewhere.
    edit("flows/silver.toml", "verb = \"menu\"", "verb = \"menue\"");
    edit("flows/gold.toml", "next = ", "nxet = ");
    let (code, _, err) = parts(&site.run(&["check"]));
    assert_eq!(code, Some(64), "{err}");
    for (file, word) in [
        ("silver.toml:", "menue"),
        ("gold.toml:", "nxet"),
        ("agents.toml:", "vpi"),
        ("people.toml:", "vipp"),
        ("gold.toml:", "greeting-glod"),
    ] {
        assert!(
            err.lines().any(|line| line.contains(file) && line.contains(word)),
            "{word} is not in\n{err}"
        );
    }
    assert!(!err.contains("no flow is called"), "a consequence is no second mistake:\n{err}");
}

#[test]
fn bad_rows_of_customers_are_named_by_line_and_column() {
    let site = Site::new("customers");
    let file = site.file("customers.csv");
    let header = "number,name,tier,language,senior,manager_a,manager_b";
    let rows = [
        "13800000001,Zhao Yi,diamond,zh,no,1001,1002",
        "13800000002,Qian Er,platinum,zh,no,,",
        "not-a-number,Sun San,gold,zh,no,,",
        "13800000004,Li Si,gold,fr,no,,",
        "13800000005,Zhou Wu,gold,zh,maybe,,",
        "13800000006,Wu Liu,silver,en,yes,,",
    ];
    std::fs::write(&file, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let path = file.display().to_string();
    let (code, out, err) = parts(&site.run(&["customers", "import", &path]));
    assert_eq!(code, Some(64), "{out}{err}");
    for (line, word) in [(3, "tier"), (4, "number"), (5, "language"), (6, "senior")] {
        let place = format!("customers.csv:{line}");
        let named = err.lines().any(|text| text.contains(&place) && text.contains(word));
        assert!(named, "line {line}, column {word} is not in\n{err}");
    }
    assert!(!out.contains("imported"), "nothing is imported: {out}");
    let (code, out, err) = parts(&site.run(&["customers", "import", "--skip-bad", &path]));
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains('2') && out.contains('4'), "2 imported, 4 left out: {out}");
    assert!(err.contains("customers.csv:3"), "{err}");

    let (code, _, err) = parts(&site.run(&["customers", "import", "/no/such/file.csv"]));
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("/no/such/file.csv"), "{err}");
}

#[test]
fn calls_that_do_not_exist_are_said_not_to() {
    let site = Site::new("calls");
    let (code, _, err) = parts(&site.run(&["calls", "show", "c19bd3a58a000001"]));
    assert_eq!(code, Some(64), "{err}");
    let (code, _, err) = parts(&site.run(&["calls", "show", "rubbish"]));
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("rubbish"), "{err}");
}

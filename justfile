# Shortcuts for the usual commands; `just` lists them. Checks are stages of `tests/run`, so that people and CI run the same commands.

target := env("CARGO_TARGET_DIR", "target")
library := if os() == "macos" { "libfarmtally_ffi.dylib" } else { "libfarmtally_ffi.so" }
python_generated := "bindings/python/farmtally_field/generated"
dart_generated := "bindings/dart/lib/src/generated"

# List the recipes
[private]
default:
    @{{ just_executable() }} --list

# Replay a market day of real data on two phones and a server
demo *args:
    cargo run --release -p farmtally-demo -- {{ args }}

# Run every check and test, as CI does
test:
    tests/run

# Run the stages that take hours: many seeds, the mutants, the benchmarks
full:
    tests/run full

# Format the code
fmt:
    cargo fmt --all

# Check the format, and run the lints
lint:
    tests/run fmt lint

# Build the documentation; warnings are errors
docs:
    tests/run docs

# Run the benchmarks
bench *args:
    cargo bench -p farmtally-tests {{ args }}

# Run the seeded simulation: `just simulate --seeds 20000`, `just simulate --replay 7`
simulate *args:
    cargo run --release -p farmtally-tests --bin simulate -- {{ args }}

# Inject faults, and print after how many seeds the simulation catches each
mutants *names:
    tests/mutants/run {{ names }}

# Generate, build and test the Kotlin package
kotlin:
    tests/run kotlin

# Generate and test the Python package
python:
    tests/run python

# Accept a reviewed change of the foreign interface
accept-interface:
    cargo build -p farmtally-ffi -p farmtally-bindgen
    {{ target }}/debug/farmtally-bindgen interface {{ target }}/debug/{{ library }} > tests/fixtures/interface.txt

# Accept a reviewed change of a message format
accept-golden:
    cargo test -p farmtally-tests --test golden -- --ignored

# Accept a reviewed change of the printed papers
accept-papers:
    cargo test -p farmtally-tests --test paper -- --ignored

# Accept a reviewed change of the server's HTTP responses
accept-http:
    cargo test -p farmtally-tests --test http -- --ignored

# Accept a change of the schema while nothing is released; with a release name, write that release's databases
accept-databases release="unreleased":
    FARMTALLY_RELEASE={{ release }} cargo test -p farmtally-tests --test frozen -- --ignored

# Generate the PostgreSQL tables from those of SQLite
tables:
    cargo run -p farmtally-tests --bin ddl

# Generate and test the Dart package; downloads a 32-bit Dart VM if there is no `dart`
dart:
    tests/run dart

# Test the Dart generator on its fixture
bindgen:
    tests/run bindgen

# Generate the code of one language from the debug library; a stripped library no longer contains the description of its interface
[private]
generate language folder:
    cargo build -p farmtally-ffi -p farmtally-bindgen
    {{ target }}/debug/farmtally-bindgen generate {{ target }}/debug/{{ library }} --language {{ language }} --out-dir {{ folder }} --no-format

# Build the wheel of the Python package, with the library of profile `phone`, into target/wheels
wheel: (generate "python" python_generated)
    cargo build -p farmtally-ffi --profile phone --features vendored-openssl
    ln -sf {{ absolute_path(target) }}/phone/{{ library }} {{ python_generated }}/{{ library }}
    python3 -m pip wheel --no-deps --wheel-dir target/wheels bindings/python

# Generate the Swift package, and type-check it if there is a compiler
swift:
    tests/run swift

# Build the library for the Swift package on iOS and macOS; on a Mac with Xcode
xcframework: swift
    #!/usr/bin/env bash
    set -euo pipefail
    rustup target add aarch64-apple-ios aarch64-apple-ios-sim aarch64-apple-darwin
    libraries=()
    for target in aarch64-apple-ios aarch64-apple-ios-sim aarch64-apple-darwin; do
        cargo rustc -p farmtally-ffi --profile phone --features vendored-openssl --crate-type staticlib --target $target
        libraries+=(-library {{ target }}/$target/phone/libfarmtally_ffi.a -headers bindings/swift/generated)
    done
    rm -rf bindings/swift/farmtally_ffi.xcframework
    xcodebuild -create-xcframework "${libraries[@]}" -output bindings/swift/farmtally_ffi.xcframework

# Build the library for Flutter on iOS and macOS, for the podspecs of bindings/dart; on a Mac with Xcode
frameworks: (generate "dart" dart_generated)
    #!/usr/bin/env bash
    set -euo pipefail
    name=farmtally_ffi
    version=$(sed -n 's/^version: //p' bindings/dart/pubspec.yaml)
    made={{ target }}/frameworks
    rm -rf "$made" bindings/dart/ios/$name.xcframework bindings/dart/macos/$name.xcframework

    # framework FOLDER MINIMUM TARGET…: builds one dynamic framework for all these targets. MINIMUM is the podspec's.
    framework() {
        local bundle=$made/$1/$name.framework libraries=() rust
        local contents=$bundle resources=$bundle system=MinimumOSVersion
        # Frameworks of macOS have versions, those of iOS must not.
        if [ "$1" = macos ]; then
            contents=$bundle/Versions/A
            resources=$contents/Resources
            system=LSMinimumSystemVersion
        fi
        mkdir -p "$resources"
        for rust in "${@:3}"; do
            rustup target add "$rust"
            env "$2" cargo rustc -p farmtally-ffi --profile phone --features vendored-openssl --crate-type cdylib --target "$rust" -- \
                -C link-arg=-Wl,-install_name,@rpath/$name.framework/$name
            libraries+=("{{ target }}/$rust/phone/lib$name.dylib")
        done
        lipo -create "${libraries[@]}" -output "$contents/$name"
        cat >"$resources/Info.plist" <<END
    <?xml version="1.0" encoding="UTF-8"?>
    <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
    <plist version="1.0">
    <dict>
      <key>CFBundleInfoDictionaryVersion</key><string>6.0</string>
      <key>CFBundlePackageType</key><string>FMWK</string>
      <key>CFBundleExecutable</key><string>$name</string>
      <key>CFBundleName</key><string>$name</string>
      <key>CFBundleIdentifier</key><string>org.farmtally.field.flutter</string>
      <key>CFBundleShortVersionString</key><string>$version</string>
      <key>CFBundleVersion</key><string>$version</string>
      <key>$system</key><string>${2#*=}</string>
    </dict>
    </plist>
    END
        if [ "$1" = macos ]; then
            ln -s A "$bundle/Versions/Current"
            ln -s Versions/Current/$name Versions/Current/Resources "$bundle"
        fi
    }

    framework ios IPHONEOS_DEPLOYMENT_TARGET=13.0 aarch64-apple-ios
    framework simulator IPHONEOS_DEPLOYMENT_TARGET=13.0 aarch64-apple-ios-sim x86_64-apple-ios
    framework macos MACOSX_DEPLOYMENT_TARGET=10.15 aarch64-apple-darwin x86_64-apple-darwin
    xcodebuild -create-xcframework -framework "$made/ios/$name.framework" -framework "$made/simulator/$name.framework" \
        -output bindings/dart/ios/$name.xcframework
    xcodebuild -create-xcframework -framework "$made/macos/$name.framework" -output bindings/dart/macos/$name.xcframework

# Build the library for the Android modules of Kotlin and Flutter; needs cargo-ndk, and the NDK (r28 or later) in ANDROID_NDK_HOME
android: (generate "kotlin" "bindings/kotlin/generated") (generate "dart" dart_generated)
    rustup target add aarch64-linux-android armv7-linux-androideabi x86_64-linux-android
    RUSTFLAGS="-C link-arg=-Wl,-z,max-page-size=16384" cargo ndk --platform 26 -t arm64-v8a -t armeabi-v7a -t x86_64 \
        -o bindings/kotlin/android/src/main/jniLibs build -p farmtally-ffi --profile phone --features vendored-openssl
    mkdir -p bindings/dart/android/src/main/jniLibs
    cp -R bindings/kotlin/android/src/main/jniLibs/. bindings/dart/android/src/main/jniLibs

# Check licences, sources and security advisories of the dependencies
deny:
    tests/run deny

# Fuzz one decoder of tests/src/fuzz.rs for a number of seconds; needs cargo-fuzz
fuzz target seconds="600":
    cargo test -p farmtally-tests --test fuzz -- --ignored seeds_for_a_long_run
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz {{ target }} -- -max_total_time={{ seconds }} -timeout=10 -malloc_limit_mb=64 -rss_limit_mb=1024

// swift-tools-version: 5.9

// The Swift package of the field core. `generated/` comes from `tests/run swift`, the xcframework from `just xcframework` on a Mac.

import PackageDescription

// What the generated Swift imports: the library with its C header. Where there are no xcframeworks, the library is linked by its name.
#if os(Linux)
let library = Target.systemLibrary(name: "farmtally_ffiFFI", path: "generated/farmtally_ffiFFI")
let linked: [LinkerSetting] = [.linkedLibrary("farmtally_ffi")]
#else
let library = Target.binaryTarget(name: "farmtally_ffiFFI", path: "farmtally_ffi.xcframework")
let linked: [LinkerSetting] = []
#endif

let package = Package(
    name: "FarmTallyField",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "FarmTallyField", targets: ["FarmTallyField"])],
    targets: [
        library,
        .target(name: "FarmTallyField", dependencies: ["farmtally_ffiFFI"], linkerSettings: linked),
    ]
)

// The Kotlin package as a module of an Android project: an AAR with the library for each ABI.
//
// The app's project names the versions of the plugins. Everything else that has a version is in ../pom.xml.

plugins {
    id("com.android.library")
    id("org.jetbrains.kotlin.android")
}

val pom = file("../pom.xml").readText()

fun version(name: String) = Regex("<$name.version>(.+)</$name.version>").find(pom)!!.groupValues[1]

android {
    namespace = "org.farmtally.field"
    compileSdk = 35

    defaultConfig {
        // From here on there is java.time without desugaring.
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }

    sourceSets["main"].kotlin.srcDirs("../generated", "../src/main/kotlin")

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:${version("coroutines")}")
    implementation("net.java.dev.jna:jna:${version("jna")}@aar")
}

require 'yaml'

pubspec = YAML.load_file(File.join('..', 'pubspec.yaml'))

Pod::Spec.new do |s|
  s.name = pubspec['name']
  s.version = pubspec['version']
  s.summary = pubspec['description']
  s.homepage = 'https://example.com'
  s.license = { :type => 'Apache-2.0' }
  s.author = 'FarmTally'
  s.source = { :path => '.' }
  s.platform = :ios, '13.0'
  s.dependency 'Flutter'
  s.vendored_frameworks = 'farmtally_ffi.xcframework'
end

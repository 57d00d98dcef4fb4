# What the Vagrantfile does on the host: packs the project, makes the cluster's CA and token, fetches the kubeconfig. Plain Ruby of
# Vagrant's own, so that it needs neither git, rsync nor openssl, and is the same on Linux, macOS and Windows.
require "digest"
require "fileutils"
require "openssl"
require "rubygems/package"
require "securerandom"
require "stringio"
require "zlib"

module Wherry
  ROOT = File.expand_path("..", __dir__)
  # Names at any depth that do not belong into a machine.
  LEFT_OUT = %w[.git node_modules .vagrant .vitest].freeze

  # Everything that this cluster has on the host, beside Vagrant's own: `vagrant destroy` takes it away.
  def self.state
    File.join(File.expand_path(ENV["VAGRANT_DOTFILE_PATH"] || ".vagrant", __dir__), "wherry")
  end

  # Commands that bring something into machines; only for them anything is made.
  def self.provisions?
    !(ARGV & %w[up provision reload]).empty?
  end

  # The checkout as a .tar.gz, made anew when a file changed. @return its path
  def self.project
    return File.expand_path("Vagrantfile", __dir__) unless provisions?
    files = files_below(ROOT)
    stamp = Digest::SHA256.hexdigest(files.map { |f| s = File.stat(File.join(ROOT, f)); "#{f} #{s.size} #{s.mtime.to_f}" }.join("\n"))
    target = File.join(state, "project-#{stamp[0, 12]}.tar.gz")
    return target if File.exist?(target)
    FileUtils.mkdir_p(state, mode: 0o700)
    FileUtils.rm_f(Dir[File.join(state, "project-*.tar.gz")])
    File.binwrite("#{target}.#{Process.pid}", packed(files))
    File.rename("#{target}.#{Process.pid}", target)
    target
  end

  def self.files_below(dir, prefix = "")
    Dir.children(dir).sort.flat_map do |name|
      path = File.join(dir, name)
      next [] if LEFT_OUT.include?(name) || name.end_with?(".log") || File.symlink?(path)
      File.directory?(path) ? files_below(path, "#{prefix}#{name}/") : ["#{prefix}#{name}"]
    end
  end

  def self.packed(files)
    out = StringIO.new("".b)
    gzip = Zlib::GzipWriter.new(out)
    Gem::Package::TarWriter.new(gzip) do |tar|
      files.each do |name|
        bytes = File.binread(File.join(ROOT, name))
        # Windows keeps no executable bits.
        mode = bytes.start_with?("#!") ? 0o755 : 0o644
        tar.add_file_simple(name, mode, bytes.bytesize) { |entry| entry.write(bytes) }
      end
    end
    gzip.finish
    out.string
  end

  Seed = Struct.new(:pki, :token, :ca_hash)

  # The cluster's CA and join token. They are made here and not by the hub, so that workers may start at the same time as the hub,
  # know it by its CA's hash, and stay members of a hub that is made anew.
  def self.seed
    return Seed.new(__dir__, "", "") unless provisions?
    pki = File.join(state, "pki")
    key_file, crt_file, token_file = File.join(pki, "ca.key"), File.join(pki, "ca.crt"), File.join(state, "join-token")
    unless File.exist?(crt_file)
      FileUtils.mkdir_p(pki, mode: 0o700)
      key, certificate = make_ca
      write_private(key_file, key.to_pem)
      write_private(token_file, "#{SecureRandom.alphanumeric(6).downcase}.#{SecureRandom.alphanumeric(16).downcase}\n")
      write_private(crt_file, certificate.to_pem)
    end
    public_key = OpenSSL::X509::Certificate.new(File.read(crt_file)).public_key
    Seed.new(pki, File.read(token_file).strip, "sha256:#{Digest::SHA256.hexdigest(public_key.public_to_der)}")
  end

  # As the hub makes its own (server/auth/certificate.ts): P-256, ten years, and an hour back for clocks that differ.
  def self.make_ca
    key = OpenSSL::PKey::EC.generate("prime256v1")
    certificate = OpenSSL::X509::Certificate.new
    certificate.version = 2
    certificate.serial = OpenSSL::BN.new(SecureRandom.hex(16), 16)
    certificate.subject = certificate.issuer = OpenSSL::X509::Name.new([["CN", "wherry-ca"]])
    certificate.not_before = Time.now - 3600
    certificate.not_after = Time.now + 3650 * 86_400
    certificate.public_key = key
    extensions = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
    certificate.add_extension(extensions.create_extension("basicConstraints", "CA:TRUE,pathlen:0", true))
    certificate.add_extension(extensions.create_extension("keyUsage", "keyCertSign,cRLSign", true))
    certificate.add_extension(extensions.create_extension("subjectKeyIdentifier", "hash"))
    certificate.sign(key, OpenSSL::Digest.new("SHA256"))
    [key, certificate]
  end

  def self.write_private(path, text)
    File.open(path, File::WRONLY | File::CREAT | File::TRUNC, 0o600) { |f| f.write(text) }
  end

  def self.kubeconfig
    File.join(state, "kubeconfig")
  end

  # Copies the administrator's access from the hub. @param server the API's URL as this host reaches it; as the hub says if absent
  def self.fetch_kubeconfig(hub, server = nil)
    text = +""
    hub.communicate.sudo("cat /var/lib/wherry/hub/admin.kubeconfig") { |type, part| text << part if type == :stdout }
    text = text.delete("\r")
    text = text.gsub(%r{https://[^\s"]+}, server) if server
    FileUtils.mkdir_p(state, mode: 0o700)
    write_private(kubeconfig, text)
  end

  # After the last machine nothing stays.
  def self.forget
    left = Dir[File.join(File.dirname(state), "machines", "*", "*", "id")]
    FileUtils.rm_rf(state) if left.empty?
  end
end

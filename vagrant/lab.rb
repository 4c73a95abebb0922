# frozen_string_literal: true

# What the Vagrantfiles of all profiles share. README.md lists the environment variables.
module KeelsonLab
  # A setting that can't be used. Vagrant prints the message and no stack.
  class InvalidSetting < Vagrant::Errors::VagrantError
    def initialize(message)
      @text = message
      super
    end

    def error_message
      @text
    end
  end

  # Boxes by short name and provider. Any other box goes by its full name.
  BOXES = {
    'debian12' => { virtualbox: 'bento/debian-12', libvirt: 'cloud-image/debian-12' },
    'debian13' => { virtualbox: 'bento/debian-13', libvirt: 'cloud-image/debian-13' },
    'ubuntu24.04' => { virtualbox: 'bento/ubuntu-24.04', libvirt: 'cloud-image/ubuntu-24.04' },
    'rocky9' => { virtualbox: 'bento/rockylinux-9', libvirt: 'cloud-image/rocky-9' }
  }.freeze

  PROVISION = File.join(__dir__, 'provision.sh')

  module_function

  def setting(name, default)
    value = ENV.fetch("KEELSON_VAGRANT_#{name}", '')
    value.empty? ? default : value
  end

  def number(name, default)
    text = setting(name, default.to_s)
    return text.to_i if text.match?(/\A[1-9]\d*\z/)

    raise InvalidSetting, "KEELSON_VAGRANT_#{name}: #{text} is no number above 0"
  end

  # First three numbers of the machines' network.
  def prefix
    text = setting('SUBNET', '192.168.56.0/24')
    match = text.match(%r{\A(\d{1,3}\.\d{1,3}\.\d{1,3})\.0/24\z})
    return match[1] unless match.nil?

    raise InvalidSetting, "KEELSON_VAGRANT_SUBNET: #{text} is no network of the form a.b.c.0/24"
  end

  def boxes
    name = setting('BOX', 'debian12')
    BOXES.fetch(name) { { virtualbox: name, libvirt: name } }
  end

  # Control planes are cp1 (.11), cp2…; workers w1 (.21), w2…
  def nodes(control_planes, workers)
    row = lambda do |letters, count, first|
      (1..count).map { |i| { name: "#{letters}#{i}", address: "#{prefix}.#{first + i - 1}" } }
    end
    [row.call('cp', control_planes, 11), row.call('w', workers, 21)]
  end

  def size(role)
    large = role == :control_plane
    {
      cpus: number(large ? 'CPUS' : 'WORKER_CPUS', number('CPUS', 2)),
      memory: number(large ? 'MEMORY' : 'WORKER_MEMORY', large ? 2048 : 1536)
    }
  end

  def configure(config, control_planes:, workers:)
    planes, others = nodes(control_planes, workers)
    lab = setting('LAB', 'lab')
    hosts = (planes + others).map { |node| "#{node[:address]}=#{node[:name]}" }

    config.vm.box = boxes[:virtualbox]
    config.vm.box_url = setting('BOX_URL', nil) unless setting('BOX_URL', nil).nil?
    config.vm.box_check_update = false
    config.vm.synced_folder '.', '/vagrant', disabled: true
    config.vm.boot_timeout = 600

    { control_plane: planes, worker: others }.each do |role, members|
      members.each { |node| define(config, lab, node, size(role), hosts) }
    end
  end

  def define(config, lab, node, size, hosts)
    config.vm.define node[:name] do |machine|
      machine.vm.hostname = node[:name]
      machine.vm.network 'private_network', ip: node[:address]
      machine.vm.provision 'hosts', type: 'shell', path: PROVISION, args: hosts

      machine.vm.provider :virtualbox do |virtualbox|
        virtualbox.name = "keelson-#{lab}-#{node[:name]}"
        virtualbox.linked_clone = true
        virtualbox.cpus = size[:cpus]
        virtualbox.memory = size[:memory]
      end
      machine.vm.provider :libvirt do |libvirt, override|
        override.vm.box = boxes[:libvirt]
        libvirt.default_prefix = "keelson-#{lab}-"
        libvirt.cpus = size[:cpus]
        libvirt.memory = size[:memory]
        libvirt.machine_virtual_size = number('DISK', 20)
      end
    end
  end
end

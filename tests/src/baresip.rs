//! baresip as an agent's softphone, without a screen or a sound card: it registers with digest, answers every
//! call, speaks a WAV file, and keeps what it hears as another.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::Process;
use crate::site::Site;
use crate::{until, voice};

/// A running softphone.
pub struct Baresip {
    process: Process,
    folder: PathBuf,
}

impl Baresip {
    /// Registers agent `number`; it answers with a sine of `hz` in A-law.
    pub fn start(site: &Site, number: &str, hz: f64) -> Baresip {
        Baresip::that_speaks(site, number, hz, "PCMA")
    }

    /// The same in another codec, by its name among baresip's, and in no other.
    pub fn that_speaks(site: &Site, number: &str, hz: f64, codec: &str) -> Baresip {
        let folder = site.file(&format!("baresip-{number}"));
        std::fs::create_dir_all(folder.join("heard")).unwrap();
        std::fs::write(folder.join("says.wav"), voice::wav(&voice::tone(hz, 60))).unwrap();
        std::fs::write(folder.join("config"), config(&folder.display().to_string())).unwrap();
        let account = format!(
            "<sip:{number}@hotline.example;transport=udp>;auth_user={number};auth_pass=change-me-{number}\
             ;outbound=\"sip:{}\";regint=600;answermode=auto;audio_codecs={codec}\n",
            site.switch()
        );
        std::fs::write(folder.join("accounts"), account).unwrap();
        std::fs::write(folder.join("contacts"), "").unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&folder).args(["-t", "90", "-s"]);
        let process = Process::start("baresip", &mut command, &folder.join("log"));
        Baresip { process, folder }
    }

    /// What it prints.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Ends it; what it heard in its only call, 8 kHz.
    pub fn heard(mut self) -> Vec<i16> {
        self.process.signal("TERM");
        self.process.wait(Duration::from_secs(15));
        let file = until("baresip's recording", Duration::from_secs(5), || {
            let files = std::fs::read_dir(self.folder.join("heard")).unwrap().flatten();
            files.map(|file| file.path()).find(|path| path.to_string_lossy().ends_with("-dec.wav"))
        });
        voice::read_wav_at_8k(&file)
    }
}

fn config(folder: &str) -> String {
    // Its RTP leaves from any address, which on loopback means 127.0.0.1: that must be its SIP address too.
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap();
    format!(
        "sip_listen {listen}\n\
         sip_trans_def udp\n\
         net_interface 127.0.0.1\n\
         call_max_calls 4\n\
         audio_source aufile,{folder}/says.wav\n\
         audio_player aubridge,nobody\n\
         audio_alert aubridge,nobody\n\
         ausrc_srate 8000\n\
         auplay_srate 8000\n\
         ausrc_channels 1\n\
         auplay_channels 1\n\
         rtp_ports 42000-42999\n\
         jitter_buffer_type off\n\
         snd_path {folder}/heard\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\n\
         module g722.so\n\
         module opus.so\n\
         module aufile.so\n\
         module aubridge.so\n\
         module sndfile.so\n\
         module_app account.so\n\
         module_app contact.so\n\
         module_app menu.so\n",
    )
}

//! A Binding Update, and a Mobile Prefix Solicitation, as the packets that carry them (RFC 6275
//! 6.1.7, 6.7, 11.7.1).

use crate::mobility::message::{OwnedOptions, UpdateMsg};
use crate::mobility::mn::event::PrefixQuestion;
use crate::wire::icmpv6;
use crate::wire::icmpv6::mobility::MobilityRequest;
use crate::wire::ipv6::{self, HomeAddressHeader, Ipv6Header};
use crate::wire::mh::{self, MessageData};
use std::net::Ipv6Addr;

/// Headers before the Mobility Header at most.
const HEADERS_MAX: usize = ipv6::HEADER_LEN + HomeAddressHeader::LEN;

/// The packet of an update with these options; `None` if the header would be too long.
pub(super) fn update(msg: &UpdateMsg, options: &OwnedOptions) -> Option<Vec<u8>> {
    let mut packet = vec![0; HEADERS_MAX + mh::MAX_LEN];
    let (front, mut back) = packet.split_at_mut(ipv6::HEADER_LEN);
    let (mut next_header, mut len) = (mh::NEXT_HEADER, 0);
    if let Some(home) = msg.home {
        let (option, message) = back.split_at_mut(HomeAddressHeader::LEN);
        HomeAddressHeader { next_header, home }.emit(option).ok()?;
        (next_header, len, back) =
            (HomeAddressHeader::NEXT_HEADER, HomeAddressHeader::LEN, message);
    }
    // RFC 6275 6.1.1: the home address is the source in the checksum.
    let src = msg.home.unwrap_or(msg.src);
    len += msg.update.emit(options.options(), src, msg.dst, back).ok()?;
    header(msg.src, msg.dst, next_header, len)?.emit(front).ok()?;
    packet.truncate(ipv6::HEADER_LEN + len);
    Some(packet)
}

/// The packet of a question about prefixes.
pub(super) fn solicitation(question: &PrefixQuestion) -> Option<Vec<u8>> {
    let PrefixQuestion { id, care_of, home, agent } = *question;
    let mut packet = vec![0; HEADERS_MAX + 8];
    let (front, back) = packet.split_at_mut(ipv6::HEADER_LEN);
    let (option, message) = back.split_at_mut(HomeAddressHeader::LEN);
    HomeAddressHeader { next_header: icmpv6::NEXT_HEADER, home }.emit(option).ok()?;
    // 6.3: the home address is the source in the checksum.
    let len = MobilityRequest::Prefixes { id }.emit(home, agent, message).ok()?;
    let len = HomeAddressHeader::LEN + len;
    header(care_of, agent, HomeAddressHeader::NEXT_HEADER, len)?.emit(front).ok()?;
    packet.truncate(ipv6::HEADER_LEN + len);
    Some(packet)
}

fn header(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, len: usize) -> Option<Ipv6Header> {
    Some(Ipv6Header {
        // Network control, CS6 (RFC 4594 3.2).
        traffic_class: 48 << 2,
        flow_label: 0,
        payload_len: u16::try_from(len).ok()?,
        next_header,
        hop_limit: 64,
        src,
        dst,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mobility::message::Transport;
    use crate::time::Lifetime;
    use crate::wire::mh::{BindingUpdate, BuFlags, Message, MobilityOption, SeqNo};

    const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 9);
    const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);
    const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

    fn msg(src: Ipv6Addr, home: Option<Ipv6Addr>) -> UpdateMsg {
        let options = [MobilityOption::AlternateCoa(src)];
        UpdateMsg {
            src,
            dst: HA,
            transport: Transport::Ipv6,
            home,
            update: BindingUpdate {
                seq: SeqNo(7),
                flags: BuFlags::A | BuFlags::H,
                lifetime: Lifetime(150),
            },
            options: OwnedOptions::from_options(&options).expect("short"),
            header: Box::default(),
        }
    }

    #[test]
    fn update_away_from_home_has_the_home_address_in_an_option_and_in_its_checksum() {
        let msg = msg(COA, Some(HOME));
        let packet = update(&msg, &msg.options).expect("fits");
        let upper = ipv6::find_upper_layer(&packet).expect("valid");
        assert_eq!((upper.next_header, upper.offset), (mh::NEXT_HEADER, HEADERS_MAX));
        assert_eq!(upper.home_address.map(|(a, _)| a), Some(HOME));
        let message = &packet[upper.offset..];
        assert!(
            matches!(Message::parse(message, HOME, HA), Ok(Message::Bu(bu, _)) if bu == msg.update)
        );
        assert!(Message::parse(message, COA, HA).is_err(), "not over the care-of address");
        let header = Ipv6Header::parse(&packet).expect("valid");
        assert_eq!((header.src, header.dst, header.packet_len()), (COA, HA, packet.len()));
    }

    #[test]
    fn solicitation_has_the_home_address_in_an_option_and_in_its_checksum() {
        let question = PrefixQuestion { id: 77, care_of: COA, home: HOME, agent: HA };
        let packet = solicitation(&question).expect("fits");
        let upper = ipv6::find_upper_layer(&packet).expect("valid");
        assert_eq!((upper.next_header, upper.home_address.map(|(a, _)| a)), (58, Some(HOME)));
        let message = &packet[upper.offset..];
        let asked = MobilityRequest::parse(message, HOME, HA);
        assert_eq!(asked, Ok(MobilityRequest::Prefixes { id: 77 }));
        assert!(MobilityRequest::parse(message, COA, HA).is_err());
    }

    #[test]
    fn update_at_home_has_no_home_address_option() {
        let msg = msg(HOME, None);
        let packet = update(&msg, &msg.options).expect("fits");
        let upper = ipv6::find_upper_layer(&packet).expect("valid");
        assert_eq!((upper.next_header, upper.offset, upper.home_address), (135, 40, None));
        assert!(Message::parse(&packet[40..], HOME, HA).is_ok());
    }
}

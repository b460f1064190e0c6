//! Whether a registry takes a name and a password.

use super::{
    Client, Credential, Error,
    transport::Request,
    url::{Origin, Url},
};

/// Asks a registry whether it lets this user in; nothing is kept.
///
/// # Errors
///
/// The registry does not let them in, cannot be reached, or is none.
pub fn login(client: &Client, domain: &str, credential: &Credential) -> Result<(), Error> {
    if Origin::new(true, domain).is_none() {
        return Err(Error::Name {
            text: domain.to_owned(),
        });
    }
    let session = client.session(domain, credential.clone())?;
    let request = Request::get(Url::at(&session.origin, "/v2/".to_owned()));
    let response = session.send(&request, "")?;
    match response.status {
        200..=299 => Ok(()),
        status @ (401 | 403) => Err(Error::BadPassword {
            host: session.origin.authority(),
            status,
        }),
        _ => Err(response.refusal(request.shown())),
    }
}

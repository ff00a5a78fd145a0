//! The last requests that changed, held whole although they wait for no one: what was approved
//! a moment ago is claimed next.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::request::Request;
use crate::state::keyed::ByNumber;

/// At most so many requests, first in, first out.
#[derive(Debug)]
pub(crate) struct RecentRequests {
    most: usize,
    requests: ByNumber<Arc<Request>>,
    order: VecDeque<u32>, // each number of `requests` once, and perhaps others
}

impl RecentRequests {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            requests: ByNumber::default(),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Arc<Request>> {
        self.requests.get(&number)
    }

    /// Holds a request, or lets it go.
    pub(crate) fn keep(&mut self, number: u32, request: Option<Arc<Request>>) {
        let Some(request) = request else {
            self.requests.remove(&number);
            return;
        };
        if self.requests.insert(number, request).is_none() {
            self.order.push_back(number);
        }
        while self.order.len() > self.most {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.requests.remove(&oldest);
        }
    }
}

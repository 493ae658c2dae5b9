//! Distances between places, and figures of them.

use crate::posts::Point;

/// Mean radius of the Earth in kilometres (IUGG).
const RADIUS: f64 = 6_371.008_8;
/// 100 miles in kilometres: the distance within which geolocation papers call a prediction right.
pub const NEAR: f64 = 161.0;

/// Great-circle distance in kilometres (the haversine formula on a sphere; within 0.5 % of the ellipsoid).
pub fn kilometres(a: Point, b: Point) -> f64 {
    let [lat_a, lat_b, dlat, dlon] = [a.lat, b.lat, b.lat - a.lat, b.lon - a.lon].map(f64::to_radians);
    let h = (dlat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (dlon / 2.0).sin().powi(2);
    2.0 * RADIUS * h.sqrt().min(1.0).asin()
}

/// The point in the middle of several: the direction of the mean of their positions on the sphere, so that neither the date
/// line nor a pole is special. `None` without points, or where they cancel out.
pub fn middle(points: &[Point]) -> Option<Point> {
    let mut sum = [0.0f64; 3];
    for point in points {
        let (lat, lon) = (point.lat.to_radians(), point.lon.to_radians());
        let position = [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()];
        sum.iter_mut().zip(position).for_each(|(s, p)| *s += p);
    }
    let [x, y, z] = sum;
    let length = (x * x + y * y + z * z).sqrt();
    // Not a number, or points all around.
    let clear = length > 1e-9 * points.len() as f64;
    clear.then(|| Point { lat: (z / length).asin().to_degrees(), lon: y.atan2(x).to_degrees() })
}

/// The middle value, or the mean of the two in the middle; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(0.5 * (lower + upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONDON: Point = Point { lat: 51.5074, lon: -0.1278 };
    const PARIS: Point = Point { lat: 48.8566, lon: 2.3522 };

    #[test]
    fn known_distances() {
        assert!((kilometres(LONDON, PARIS) - 343.6).abs() < 1.0);
        assert!((kilometres(Point { lat: 0.0, lon: 179.5 }, Point { lat: 0.0, lon: -179.5 }) - 111.2).abs() < 0.1);
        assert_eq!(kilometres(LONDON, LONDON), 0.0);
        let far = kilometres(Point { lat: 90.0, lon: 0.0 }, Point { lat: -90.0, lon: 0.0 });
        assert!((far - 20_015.1).abs() < 0.1);
    }

    #[test]
    fn the_middle_crosses_the_date_line() {
        let middle_of = |a, b| middle(&[Point { lat: 10.0, lon: a }, Point { lat: 10.0, lon: b }]).unwrap();
        assert!((middle_of(179.0, -179.0).lon.abs() - 180.0).abs() < 1e-9);
        assert!(middle_of(-1.0, 1.0).lon.abs() < 1e-9);
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[Point { lat: 0.0, lon: 0.0 }, Point { lat: 0.0, lon: 180.0 }]), None);
    }

    #[test]
    fn medians() {
        assert_eq!(
            [median(&[]), median(&[3.0]), median(&[4.0, 1.0]), median(&[5.0, 1.0, 2.0])],
            [None, Some(3.0), Some(2.5), Some(2.0)]
        );
    }
}

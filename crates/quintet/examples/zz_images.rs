use std::path::PathBuf;
use std::time::Instant;
fn main() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("/work/shared/data/flickr8k/images").unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    files.truncate(n);
    let t = Instant::now();
    let encoder = quintet::features::image::ImageEncoder::open("efficientnet-lite0").unwrap();
    println!("open {:?}", t.elapsed());
    let store_dir = PathBuf::from(std::env::args().nth(2).unwrap());
    for _ in 0..2 {
        let t = Instant::now();
        let mut store = quintet::features::image::ImageStore::open(&store_dir).unwrap();
        let out = store.features(&encoder, &files, &quintet::progress::Silent::default()).unwrap();
        let s = t.elapsed().as_secs_f64();
        println!(
            "{} ok of {} in {s:.2} s: {:.1} images/s",
            out.iter().filter(|f| f.feature.is_ok()).count(),
            out.len(),
            out.len() as f64 / s
        );
    }
    if n <= 200 {
        let bytes: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
        let t = Instant::now();
        for b in &bytes {
            quintet::features::image::decode::decode(b).unwrap();
        }
        println!("decode only, 1 thread: {:.2} ms each", t.elapsed().as_secs_f64() * 1e3 / n as f64);
        let mut w = encoder.worker();
        let t = Instant::now();
        for b in &bytes {
            encoder.encode(&mut w, b).unwrap();
        }
        println!("all, 1 thread: {:.2} ms each", t.elapsed().as_secs_f64() * 1e3 / n as f64);
    }
}
